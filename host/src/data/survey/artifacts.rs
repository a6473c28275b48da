//! The copies of artifacts in a folder: whether they are what their names say, and whether one is gone that
//! a start needs.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::ServerSurvey;
use crate::data::folder::{Store, cannot};
use crate::data::{Digest, Kept, Origin};
use crate::error::{Code, Error};

/// A file of data that another artifact reads than the one that wrote it.
#[derive(Debug, Serialize)]
pub struct GoneSurvey {
    /// The file.
    pub file: String,
    /// The generation that wrote it.
    pub generation: u64,
    /// Digest of its artifact, which is gone.
    pub digest: String,
}

impl ServerSurvey {
    /// A copy of an artifact is named after its digest.
    pub(super) fn check_artifacts(&mut self, folder: &Path) {
        for file in self.files.iter_mut().filter(|file| file.kind == "artifact") {
            let path = folder.join(&file.file);
            let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            let named = format!("sha256:{stem}").parse::<Digest>();
            let Ok(named) = named else { continue };
            match fs::read(&path).map(|bytes| Digest::of(&bytes)) {
                Err(error) => self.problems.push(cannot(&path, &error)),
                Ok(found) if found == named => file.digest = Some(found.to_string()),
                Ok(found) => self.problems.push(Error::new(
                    Code::Data,
                    format!("the artifact '{}' is damaged", path.display()),
                    format!("it has digest {found}; what it wrote cannot be read back with it"),
                    "put the plugin file with the digest of its name in its place",
                )),
            }
        }
    }

    /// Looks for the artifacts that wrote what a start reads. One of the same shape as the permanent one
    /// is not missed.
    pub(super) fn look_for_writers(&mut self, store: &Store, writers: &[(String, Origin)]) {
        let permanent = store.permanent().ok().flatten();
        let permanent = permanent.as_ref().and_then(|permanent| permanent.last());
        let permanent = permanent.and_then(|kept| kept.digest.parse::<Digest>().ok());
        let by_permanent = writers.iter().find(|(_, origin)| Some(origin.digest) == permanent);
        let shape = by_permanent.map(|(_, origin)| origin.fingerprint);
        let mut told = Vec::from_iter(permanent);
        for (file, origin) in writers {
            let path = store.artifacts().path(&origin.digest);
            if told.contains(&origin.digest) || path.exists() {
                continue;
            }
            told.push(origin.digest);
            let (generation, digest) = (origin.generation, origin.digest.to_string());
            if shape == Some(origin.fingerprint) {
                self.gone.push(GoneSurvey { file: file.clone(), generation, digest });
            } else {
                self.problems.push(gone_writer(&path, file, origin, shape.is_some()));
            }
        }
    }
}

#[cold]
fn gone_writer(path: &Path, file: &str, origin: &Origin, differs: bool) -> Error {
    let shape = match differs {
        true => "the state of the permanent one has another shape",
        false => "nothing here says whether the state of the permanent one has the same shape",
    };
    Error::new(
        Code::Data,
        format!("the artifact '{}' is gone", path.display()),
        format!("generation {} wrote '{file}' with it, and {shape}", origin.generation),
        "put the file with this SHA-256 back under this name; or start with a version whose state has the \
         same shape (--plugin FILE --ignore-permanent)",
    )
}

#[cold]
pub(super) fn gone_artifact(path: &Path, kept: &Kept) -> Error {
    let Kept { plugin, version, path: from, .. } = kept;
    Error::new(
        Code::Data,
        format!("the artifact '{}' is gone", path.display()),
        format!(
            "the next start is from it: it is {plugin} {version}, loaded from '{}'",
            from.display()
        ),
        "put that file back under this name; or start with --plugin FILE --ignore-permanent",
    )
}
