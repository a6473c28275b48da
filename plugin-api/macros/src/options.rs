//! What may stand in `#[state(...)]`, in each of the places where it may stand.

use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, LitInt, LitStr, Result, Type};

use crate::model::Conversion;

/// `#[state(schema = N, key, no_default, was = "..", from = OLD, with = UP, back = DOWN)]` on a
/// struct or enum.
#[derive(Default)]
pub struct TypeOptions {
    /// The author's schema number.
    pub schema: Option<u32>,
    /// Also derive `StateKey` and std's comparisons.
    pub key: bool,
    /// Do not implement `Default`.
    pub no_default: bool,
    /// Names in older versions.
    pub was: Vec<LitStr>,
    /// Conversions, each begun by a `from`.
    pub conversions: Vec<Conversion>,
}

/// `#[state(default = EXPR, recursive, was = "..")]` on a field.
#[derive(Default)]
pub struct FieldOptions {
    /// The field's value in `Default`.
    pub default: Option<Expr>,
    /// The type counts by name only in the fingerprint.
    pub recursive: bool,
    /// Names in older versions.
    pub was: Vec<LitStr>,
}

/// `#[state(default, was = "..")]` on a variant.
#[derive(Default)]
pub struct VariantOptions {
    /// The variant that `Default` answers.
    pub default: bool,
    /// Names in older versions.
    pub was: Vec<LitStr>,
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
        } else if meta.path.is_ident("was") {
            was(meta, &mut self.was)?;
        } else if meta.path.is_ident("from") {
            let (old, span) = (meta.value()?.parse::<Type>()?, meta.path.span());
            self.conversions.push(Conversion { old, span, with: None, back: None });
        } else if meta.path.is_ident("with") || meta.path.is_ident("back") {
            self.function(meta)?;
        } else {
            let known = "schema = N, key, no_default, was = \"NAME\", \
                         from = TYPE with = FUNCTION back = FUNCTION";
            return unknown(meta, "a type", known);
        }
        Ok(())
    }

    /// `with = FUNCTION` or `back = FUNCTION`, which belong to the `from` before them.
    fn function(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let Some(conversion) = self.conversions.last_mut() else {
            return Err(meta.error("say first from what: from = TYPE, with = FUNCTION"));
        };
        let with = meta.path.is_ident("with");
        let place = if with { &mut conversion.with } else { &mut conversion.back };
        once(meta, place.is_some())?;
        *place = Some(meta.value()?.parse()?);
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
            } else if meta.path.is_ident("was") {
                was(meta, &mut options.was)?;
            } else {
                return unknown(meta, "a field", "default = EXPR, recursive, was = \"NAME\"");
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
            if meta.path.is_ident("was") {
                return was(meta, &mut options.was);
            }
            unknown(meta, "a variant", "default, was = \"NAME\"")
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

/// `was = "NAME"`: may be given once for each older name.
fn was(meta: &ParseNestedMeta<'_>, names: &mut Vec<LitStr>) -> Result<()> {
    let name: LitStr = meta.value()?.parse()?;
    if names.iter().any(|given| given.value() == name.value()) {
        return Err(meta.error("this name was already given"));
    }
    names.push(name);
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
