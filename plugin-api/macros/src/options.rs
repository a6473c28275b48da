//! What may stand in `#[state(...)]`, in each of the places where it may stand.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, LitInt, Result};

/// `#[state(schema = N, key, no_default)]` on a struct or enum.
#[derive(Default)]
pub struct TypeOptions {
    /// The author's schema number.
    pub schema: Option<u32>,
    /// Also derive `StateKey` and std's comparisons.
    pub key: bool,
    /// Do not implement `Default`.
    pub no_default: bool,
}

/// `#[state(default = EXPR, recursive)]` on a field.
#[derive(Default)]
pub struct FieldOptions {
    /// The field's value in `Default`.
    pub default: Option<Expr>,
    /// The type counts by name only in the fingerprint.
    pub recursive: bool,
}

/// `#[state(default)]` on a variant.
#[derive(Default)]
pub struct VariantOptions {
    /// The variant that `Default` answers.
    pub default: bool,
}

impl TypeOptions {
    /// One option of the attribute itself.
    pub fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("schema") {
            once(meta, self.schema.is_some())?;
            let number: LitInt = meta.value()?.parse()?;
            self.schema = Some(number.base10_parse()?);
        } else if meta.path.is_ident("key") {
            flag(meta, &mut self.key)?;
        } else if meta.path.is_ident("no_default") {
            flag(meta, &mut self.no_default)?;
        } else {
            return unknown(meta, "a type", "schema = N, key, no_default");
        }
        Ok(())
    }
}

impl FieldOptions {
    /// Reads the field's `#[state(...)]` attributes and takes them off.
    pub fn take(attrs: &mut Vec<Attribute>) -> Result<Self> {
        let mut options = Self::default();
        take(attrs, |meta| {
            if meta.path.is_ident("default") {
                once(meta, options.default.is_some())?;
                options.default = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("recursive") {
                flag(meta, &mut options.recursive)?;
            } else {
                return unknown(meta, "a field", "default = EXPR, recursive");
            }
            Ok(())
        })?;
        Ok(options)
    }
}

impl VariantOptions {
    /// Reads the variant's `#[state(...)]` attributes and takes them off.
    pub fn take(attrs: &mut Vec<Attribute>) -> Result<Self> {
        let mut options = Self::default();
        take(attrs, |meta| {
            if meta.path.is_ident("default") {
                return flag(meta, &mut options.default);
            }
            unknown(meta, "a variant", "default")
        })?;
        Ok(options)
    }
}

/// Whether this is a `#[state]` attribute, under any path.
pub fn is_state(attr: &Attribute) -> bool {
    attr.path().segments.last().is_some_and(|segment| segment.ident == "state")
}

fn take(
    attrs: &mut Vec<Attribute>,
    mut read: impl FnMut(&ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    for attr in attrs.extract_if(.., |attr| is_state(attr)) {
        attr.parse_nested_meta(|meta| read(&meta))?;
    }
    Ok(())
}

fn flag(meta: &ParseNestedMeta<'_>, option: &mut bool) -> Result<()> {
    once(meta, *option)?;
    *option = true;
    Ok(())
}

fn once(meta: &ParseNestedMeta<'_>, given: bool) -> Result<()> {
    if given { Err(meta.error("this option was already given")) } else { Ok(()) }
}

fn unknown(meta: &ParseNestedMeta<'_>, place: &str, known: &str) -> Result<()> {
    let name = meta.path.segments.last().map(|segment| segment.ident.to_string());
    let name = name.unwrap_or_default();
    Err(meta.error(format!("unknown option `{name}`; on {place} #[state] takes: {known}")))
}
