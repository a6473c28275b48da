//! Types that contain themselves: `struct Node { children: Vec<Node> }`.
//!
//! The fingerprint of `Node` needs that of `Vec<Node>`, which needs that of `Node`: rustc would
//! refuse the cycle. So where a field's type says the type's own name, the fingerprint is taken
//! of the same type around a stand-in, "the type we are in". Two types that contain each other
//! are cut by `#[state(recursive)]` on one of the fields.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{GenericArgument, Ident, PathArguments, Type};

use crate::model::{Part, StateItem};

/// What a recursive field adds to the fingerprint; `None` when it is not recursive.
pub fn fingerprint(item: &StateItem, part: &Part) -> Option<TokenStream> {
    let mut ty = part.ty.clone();
    if replace(&mut ty, &item.ident) {
        return Some(quote!(<__Fingerprint<#ty>>::VALUE));
    }
    part.recursive.then(|| {
        let name = name_tokens(&part.ty);
        quote!(::hotshell_plugin_api::schema::mix_text(0, #name))
    })
}

/// The tokens without blanks: how a compiler spaces them is its own affair.
fn name_tokens(ty: &Type) -> String {
    quote!(#ty).to_string().split_whitespace().collect()
}

/// The stand-in for `item`. Empty when no field needs it.
pub fn stand_in(item: &StateItem) -> TokenStream {
    let mut parts = item.groups().into_iter().flat_map(|parts| &parts.0);
    if !parts.any(|part| replace(&mut part.ty.clone(), &item.ident)) {
        return TokenStream::new();
    }
    let name = format!("recursion to {}", item.ident);
    let (key, fingerprint) = (item.key.then(stand_in_key), fingerprint_of_stand_ins());
    quote! {
        struct __Recursion;
        // SAFETY: never a value and never described; it only lends its fingerprint.
        unsafe impl ::hotshell_plugin_api::state::StateType for __Recursion {
            const FINGERPRINT: u64 = ::hotshell_plugin_api::schema::mix_text(0, #name);
            fn describe(
                _: &mut ::hotshell_plugin_api::schema::SchemaBuilder,
            ) -> ::hotshell_plugin_api::schema::TypeDef {
                ::core::unreachable!()
            }
        }
        #key
        #fingerprint
    }
}

fn stand_in_key() -> TokenStream {
    quote! {
        // SAFETY: never a value.
        unsafe impl ::hotshell_plugin_api::state::StateKey for __Recursion {
            fn hash_into(&self, _: &mut ::hotshell_plugin_api::collections::hash::KeyHasher) {}
            fn key_eq(&self, _: &Self) -> bool {
                true
            }
            fn key_cmp(&self, _: &Self) -> ::core::cmp::Ordering {
                ::core::cmp::Ordering::Equal
            }
        }
    }
}

/// `__Fingerprint<T>::VALUE` is the inherent constant where `T` is a state type and the trait's
/// otherwise. There the field is refused already, and a second error would name the stand-in.
fn fingerprint_of_stand_ins() -> TokenStream {
    quote! {
        struct __Fingerprint<T>(::core::marker::PhantomData<T>);
        #[allow(dead_code)]
        impl<T: ::hotshell_plugin_api::state::StateType> __Fingerprint<T> {
            const VALUE: u64 = T::FINGERPRINT;
        }
        #[allow(dead_code)]
        trait __NoFingerprint: Sized {
            const VALUE: u64 = ::core::panic!("a recursive field has no fingerprint");
        }
        impl<T> __NoFingerprint for __Fingerprint<T> {}
    }
}

/// Puts the stand-in where `ty` says `own`; whether it did.
fn replace(ty: &mut Type, own: &Ident) -> bool {
    match ty {
        Type::Path(path) if path.path.is_ident(own) => {
            *ty = syn::parse_quote_spanned!(ty.span()=> __Recursion);
            true
        }
        Type::Path(path) => {
            let segments = path.path.segments.iter_mut();
            let arguments = segments.filter_map(|segment| match &mut segment.arguments {
                PathArguments::AngleBracketed(list) => Some(&mut list.args),
                _ => None,
            });
            let types = arguments.flatten().filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            });
            types.fold(false, |found, ty| replace(ty, own) | found)
        }
        Type::Array(array) => replace(&mut array.elem, own),
        Type::Group(group) => replace(&mut group.elem, own),
        Type::Paren(paren) => replace(&mut paren.elem, own),
        _ => false,
    }
}
