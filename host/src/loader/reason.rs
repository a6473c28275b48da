//! [`Reason`]: why an artifact is refused.

use std::path::Path;

use crate::error::{Code, Error};

/// A refusal without its path.
pub(super) struct Reason {
    pub code: Code,
    pub detail: String,
    pub hint: String,
}

impl Reason {
    pub fn new(code: Code, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), hint: hint.into() }
    }

    /// The error of a load of this file.
    pub fn about(self, path: &Path) -> Error {
        refuse(path, self.code, self.detail, self.hint)
    }
}

/// The error of every refusal: what, with the path; why; next step.
pub(super) fn refuse(
    path: &Path,
    code: Code,
    detail: impl Into<String>,
    hint: impl Into<String>,
) -> Error {
    Error::new(code, format!("cannot load '{}'", path.display()), detail, hint)
}
