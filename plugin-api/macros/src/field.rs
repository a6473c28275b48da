//! How the emitted code reaches its fields' types: through one constant per field.
//!
//! One, so that a type that may not live in state is one error, at the type. All that is asked of a
//! field (its fingerprint, its description, its hash and comparisons) is read from the constant.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use crate::model::{Part, StateItem};
use crate::recursion;

/// The constants of all fields, and the function that makes them.
pub fn constants(item: &StateItem) -> TokenStream {
    let maker = maker(item.key);
    let groups = item.groups().into_iter().enumerate();
    let constants = groups.flat_map(|(group, parts)| {
        parts.0.iter().enumerate().map(move |(i, part)| constant(item, (group, i), part))
    });
    quote!(#maker #(#constants)*)
}

/// The constant of one field: a group and a place in it.
pub fn name((group, i): (usize, usize)) -> Ident {
    format_ident!("__FIELD_{group}_{i}")
}

fn constant(item: &StateItem, place: (usize, usize), part: &Part) -> TokenStream {
    let (name, ty) = (name(place), &part.ty);
    let value = match recursion::fingerprint(item, part) {
        Some(fingerprint) => quote_spanned!(ty.span()=> __recursive_field::<#ty>(#fingerprint)),
        None => quote_spanned!(ty.span()=> __state_field::<#ty>()),
    };
    quote!(const #name: __StateField<#ty> = #value;)
}

/// The type of the constants and the functions that make them, for state types or for keys.
fn maker(key: bool) -> TokenStream {
    let bound = if key { quote!(StateKey) } else { quote!(StateType) };
    let declared = key.then(|| {
        quote! {
            hash_into: fn(&T, &mut ::hotshell_plugin_api::collections::hash::KeyHasher),
            key_eq: fn(&T, &T) -> bool,
            key_cmp: fn(&T, &T) -> ::core::cmp::Ordering,
        }
    });
    let given = key.then(|| {
        quote! {
            hash_into: <T as ::hotshell_plugin_api::state::StateKey>::hash_into,
            key_eq: <T as ::hotshell_plugin_api::state::StateKey>::key_eq,
            key_cmp: <T as ::hotshell_plugin_api::state::StateKey>::key_cmp,
        }
    });
    quote! {
        #[allow(dead_code)]
        struct __StateField<T> {
            fingerprint: u64,
            add: fn(&mut ::hotshell_plugin_api::schema::SchemaBuilder) -> u32,
            itself: ::core::marker::PhantomData<T>,
            #declared
        }
        #[allow(dead_code)]
        const fn __state_field<T: ::hotshell_plugin_api::state::#bound>() -> __StateField<T> {
            let fingerprint = <T as ::hotshell_plugin_api::state::StateType>::FINGERPRINT;
            __recursive_field(fingerprint)
        }
        #[allow(dead_code)]
        const fn __recursive_field<T: ::hotshell_plugin_api::state::#bound>(
            fingerprint: u64,
        ) -> __StateField<T> {
            __StateField {
                fingerprint,
                add: ::hotshell_plugin_api::schema::SchemaBuilder::add::<T>,
                itself: ::core::marker::PhantomData,
                #given
            }
        }
    }
}
