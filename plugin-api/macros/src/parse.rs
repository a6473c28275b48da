//! From tokens to a [`StateItem`], or to an error that says what to write instead.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, Ident, Index, Member, Result, parse_quote,
};

use crate::model::{Body, Part, Parts, StateItem, Variant};
use crate::options::{FieldOptions, TypeOptions, VariantOptions, is_state};

/// As many variants as the `u8` tag can tell apart.
const VARIANTS_MAX: usize = 256;

/// Checks `item` and reads it, leaving in it what the compiler shall see: without our attributes,
/// with the `repr`.
pub fn parse(options: TokenStream, item: &mut DeriveInput) -> Result<StateItem> {
    let read = read(options, item);
    // Also on a refusal, so that rustc does not stumble over our attributes as well.
    strip(item);
    let read = read?;
    item.attrs.retain(|attr| !attr.path().is_ident("repr"));
    item.attrs.push(match &read.body {
        Body::Struct { .. } => parse_quote!(#[repr(C)]),
        Body::Enum { .. } => parse_quote!(#[repr(u8)]),
    });
    Ok(read)
}

fn read(options: TokenStream, item: &mut DeriveInput) -> Result<StateItem> {
    let options = type_options(options)?;
    refuse_generics(item)?;
    refuse_layout(item)?;
    refuse_conversions_without_function(&options)?;
    let ident = item.ident.clone();
    let body = match &mut item.data {
        Data::Struct(data) => {
            Body::Struct { parts: parts(&ident, &mut data.fields)?, default: !options.no_default }
        }
        Data::Enum(_) if options.no_default => {
            let what = "`no_default` is for structs; an enum has a Default only where a variant \
                        is marked #[state(default)]";
            return Err(Error::new(ident.span(), what));
        }
        Data::Enum(data) => enum_body(&ident, data)?,
        Data::Union(data) => {
            let what = "a union cannot live in hotshell state, since nothing tells which field \
                        is valid; use a #[state] enum";
            return Err(Error::new(data.union_token.span(), what));
        }
    };
    let TypeOptions { schema, key, was, conversions, .. } = options;
    Ok(StateItem { ident, schema: schema.unwrap_or(0), key, was, conversions, body })
}

fn type_options(tokens: TokenStream) -> Result<TypeOptions> {
    let mut options = TypeOptions::default();
    syn::meta::parser(|meta| options.read(&meta)).parse2(tokens)?;
    Ok(options)
}

fn refuse_generics(item: &DeriveInput) -> Result<()> {
    let generics = &item.generics;
    if generics.params.is_empty() && generics.where_clause.is_none() {
        return Ok(());
    }
    let what = format!(
        "state types are concrete, so `{}` takes no lifetimes, type or const parameters; write \
         one #[state] type per instance",
        item.ident
    );
    let span =
        if generics.params.is_empty() { generics.where_clause.span() } else { generics.span() };
    Err(Error::new(span, what))
}

/// Refuses what would make the layout another one than the schema tells.
fn refuse_layout(item: &DeriveInput) -> Result<()> {
    let fixed = if matches!(item.data, Data::Enum(_)) { "u8" } else { "C" };
    let same = |attr: &Attribute| attr.parse_args::<Ident>().is_ok_and(|repr| repr == fixed);
    for attr in &item.attrs {
        if is_state(attr) {
            return Err(Error::new_spanned(attr, "write all options in one #[state(...)]"));
        }
        let conditional = attr.path().is_ident("cfg_attr") && mentions_repr(attr);
        if conditional || (attr.path().is_ident("repr") && !same(attr)) {
            let what = format!("#[state] fixes the layout with repr({fixed}); remove this");
            return Err(Error::new_spanned(attr, what));
        }
    }
    Ok(())
}

fn mentions_repr(attr: &Attribute) -> bool {
    let tokens = attr.meta.require_list().map(|list| list.tokens.to_string());
    tokens.is_ok_and(|tokens| tokens.split(|c: char| !c.is_alphanumeric()).any(|w| w == "repr"))
}

fn enum_body(ident: &Ident, data: &mut syn::DataEnum) -> Result<Body> {
    let count = data.variants.len();
    if count == 0 || count > VARIANTS_MAX {
        let what = format!(
            "`{ident}` has {count} variants; a #[state] enum has 1 to {VARIANTS_MAX}, told apart \
             by one byte"
        );
        return Err(Error::new(ident.span(), what));
    }
    let mut default = None;
    let mut variants = Vec::new();
    for (tag, variant) in data.variants.iter_mut().enumerate() {
        let options = variant_options(variant)?;
        if options.default && default.replace(tag).is_some() {
            let what = "another variant is already marked #[state(default)]";
            return Err(Error::new(variant.ident.span(), what));
        }
        let (ident, parts) = (variant.ident.clone(), parts(ident, &mut variant.fields)?);
        variants.push(Variant { ident, was: options.was, parts });
    }
    Ok(Body::Enum { variants, default })
}

fn variant_options(variant: &mut syn::Variant) -> Result<VariantOptions> {
    if let Some((_, value)) = &variant.discriminant {
        let what = "a #[state] enum numbers its variants from 0 in their order; remove the \
                    explicit discriminant";
        return Err(Error::new_spanned(value, what));
    }
    refuse_cfg(&variant.attrs)?;
    VariantOptions::take(&mut variant.attrs)
}

fn parts(own: &Ident, fields: &mut Fields) -> Result<Parts> {
    fields
        .iter_mut()
        .enumerate()
        .map(|(i, field)| part(own, i, field))
        .collect::<Result<_>>()
        .map(Parts)
}

fn part(own: &Ident, position: usize, field: &mut Field) -> Result<Part> {
    refuse_cfg(&field.attrs)?;
    let FieldOptions { default, recursive, was } = FieldOptions::take(&mut field.attrs)?;
    let ty = syn::parse2(without_self(field.ty.to_token_stream(), own))?;
    let (member, name) = match &field.ident {
        Some(ident) => (Member::from(ident.clone()), ident.unraw().to_string()),
        None => {
            let index = Index { index: position as u32, span: field.ty.span() };
            (Member::from(index), position.to_string())
        }
    };
    Ok(Part { member, name, ty, default, recursive, was })
}

/// The emitted constants stand beside the type, where `Self` has no meaning.
fn without_self(ty: TokenStream, own: &Ident) -> TokenStream {
    let named = |token| match token {
        TokenTree::Ident(word) if word == "Self" => {
            let mut own = own.clone();
            own.set_span(word.span());
            own.into()
        }
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), without_self(group.stream(), own));
            inner.set_span(group.span());
            inner.into()
        }
        token => token,
    };
    ty.into_iter().map(named).collect()
}

/// An attribute macro sees fields that `#[cfg]` is going to remove.
fn refuse_cfg(attrs: &[Attribute]) -> Result<()> {
    let conditional =
        |attr: &&Attribute| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr");
    match attrs.iter().find(conditional) {
        Some(attr) => {
            let what = "the shape of a state type may not depend on how it was built; put the \
                        condition on the whole type";
            Err(Error::new_spanned(attr, what))
        }
        None => Ok(()),
    }
}

fn refuse_conversions_without_function(options: &TypeOptions) -> Result<()> {
    match options.conversions.iter().find(|conversion| conversion.with.is_none()) {
        Some(conversion) => {
            let what = "`from` needs the function that converts: with = FUNCTION, and back = \
                        FUNCTION for the way back";
            Err(Error::new(conversion.span, what))
        }
        None => Ok(()),
    }
}

fn strip(item: &mut DeriveInput) {
    let ours = |attrs: &mut Vec<Attribute>| attrs.retain(|attr| !is_state(attr));
    ours(&mut item.attrs);
    match &mut item.data {
        Data::Struct(data) => data.fields.iter_mut().for_each(|f| ours(&mut f.attrs)),
        Data::Enum(data) => data.variants.iter_mut().for_each(|variant| {
            ours(&mut variant.attrs);
            variant.fields.iter_mut().for_each(|f| ours(&mut f.attrs));
        }),
        Data::Union(data) => data.fields.named.iter_mut().for_each(|f| ours(&mut f.attrs)),
    }
}
