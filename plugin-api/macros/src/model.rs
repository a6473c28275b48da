//! A state type as the author wrote it, checked: what the emitters work from.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Expr, Ident, LitStr, Member, Type};

/// A struct or enum under `#[state]`.
pub struct StateItem {
    /// The type's name.
    pub ident: Ident,
    /// The author's schema number.
    pub schema: u32,
    /// Whether it may be a key.
    pub key: bool,
    /// Its names in older versions.
    pub was: Vec<LitStr>,
    /// How it comes from older types.
    pub conversions: Vec<Conversion>,
    /// The struct's fields or the enum's variants.
    pub body: Body,
}

/// `from = OLD, with = UP, back = DOWN`.
pub struct Conversion {
    /// The older type.
    pub old: Type,
    /// Where `from` stands.
    pub span: Span,
    /// From the older type to this one.
    pub with: Option<Expr>,
    /// The way back.
    pub back: Option<Expr>,
}

/// What is inside.
pub enum Body {
    /// A struct.
    Struct {
        /// Its fields.
        parts: Parts,
        /// Whether `Default` is wanted.
        default: bool,
    },
    /// An enum.
    Enum {
        /// Its variants; the tag is the position.
        variants: Vec<Variant>,
        /// The variant marked `#[state(default)]`.
        default: Option<usize>,
    },
}

/// A variant of an enum.
pub struct Variant {
    /// Its name.
    pub ident: Ident,
    /// Its names in older versions.
    pub was: Vec<LitStr>,
    /// Its fields.
    pub parts: Parts,
}

/// The fields of a struct or of a variant, in the order of the source.
pub struct Parts(pub Vec<Part>);

/// One field.
pub struct Part {
    /// Its name, or its number.
    pub member: Member,
    /// Its name in the schema.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Its value in `Default`, when that is not the type's own.
    pub default: Option<Expr>,
    /// Whether its type counts by name only in the fingerprint.
    pub recursive: bool,
    /// Its names in older versions.
    pub was: Vec<LitStr>,
}

impl StateItem {
    /// Every group of fields: one for a struct, one per variant for an enum.
    pub fn groups(&self) -> Vec<&Parts> {
        match &self.body {
            Body::Struct { parts, .. } => vec![parts],
            Body::Enum { variants, .. } => variants.iter().map(|v| &v.parts).collect(),
        }
    }

    /// Every group of fields with the path that builds or matches it.
    pub fn constructors(&self) -> Vec<(TokenStream, &Parts)> {
        match &self.body {
            Body::Struct { parts, .. } => vec![(quote!(Self), parts)],
            Body::Enum { variants, .. } => variants.iter().map(Variant::constructor).collect(),
        }
    }
}

impl Variant {
    /// The path that builds or matches it, with its fields.
    pub fn constructor(&self) -> (TokenStream, &Parts) {
        let ident = &self.ident;
        (quote!(Self::#ident), &self.parts)
    }
}

impl Parts {
    /// `{ name: prefix0, 1: prefix1 }`, a pattern that fits named, tuple and unit shapes.
    pub fn pattern(&self, prefix: &str) -> TokenStream {
        let members = self.0.iter().map(|part| &part.member);
        let bindings = self.bindings(prefix);
        quote!({ #(#members: #bindings),* })
    }

    /// The names that [`Parts::pattern`] binds.
    pub fn bindings(&self, prefix: &str) -> Vec<Ident> {
        let name = |i| format_ident!("{prefix}{i}", span = Span::mixed_site());
        (0..self.0.len()).map(name).collect()
    }
}
