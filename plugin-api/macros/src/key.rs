//! Emits `StateKey` and std's comparisons, all from the same fields in the same order.
//!
//! Std's are emitted too because a hand-written one is then a conflict: a key whose `Eq` and hash
//! disagree, or changed between two versions, would lose entries without a trace.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::field;
use crate::model::{Body, StateItem};

/// `StateKey`, `PartialEq`, `Eq`, `PartialOrd`, `Ord` and `Hash`, when the item is a key.
pub fn key(item: &StateItem) -> TokenStream {
    if !item.key {
        return TokenStream::new();
    }
    let (state_key, comparisons, hash) =
        (state_key(item), comparisons(item), std_hash(&item.ident));
    quote!(#state_key #comparisons #hash)
}

fn state_key(item: &StateItem) -> TokenStream {
    let ident = &item.ident;
    let (hash, eq, cmp) = (hash_into(item), key_eq(item), key_cmp(item));
    quote! {
        // SAFETY: all three go through the same fields in the same order, each by its key.
        unsafe impl ::hotshell_plugin_api::state::StateKey for #ident {
            #[inline]
            fn hash_into(
                &self,
                __hasher: &mut ::hotshell_plugin_api::collections::hash::KeyHasher,
            ) {
                #hash
            }
            #[inline]
            fn key_eq(&self, other: &Self) -> bool {
                #eq
            }
            #[inline]
            fn key_cmp(&self, other: &Self) -> ::core::cmp::Ordering {
                #cmp
            }
        }
    }
}

fn comparisons(item: &StateItem) -> TokenStream {
    let ident = &item.ident;
    quote! {
        impl ::core::cmp::PartialEq for #ident {
            #[inline]
            fn eq(&self, other: &Self) -> bool {
                ::hotshell_plugin_api::state::StateKey::key_eq(self, other)
            }
        }
        impl ::core::cmp::Eq for #ident {}
        impl ::core::cmp::PartialOrd for #ident {
            #[inline]
            fn partial_cmp(&self, other: &Self) -> ::core::option::Option<::core::cmp::Ordering> {
                ::core::option::Option::Some(::core::cmp::Ord::cmp(self, other))
            }
        }
        impl ::core::cmp::Ord for #ident {
            #[inline]
            fn cmp(&self, other: &Self) -> ::core::cmp::Ordering {
                ::hotshell_plugin_api::state::StateKey::key_cmp(self, other)
            }
        }
    }
}

/// For std's own maps. Std's hasher gives the seed, so what protects it protects this hash.
fn std_hash(ident: &Ident) -> TokenStream {
    quote! {
        impl ::core::hash::Hash for #ident {
            fn hash<__H: ::core::hash::Hasher>(&self, __hasher: &mut __H) {
                let seed = 0x243f_6a88_85a3_08d3 ^ ::core::hash::Hasher::finish(__hasher);
                let seed = [seed, !seed];
                let mut key = ::hotshell_plugin_api::collections::hash::KeyHasher::new(seed);
                ::hotshell_plugin_api::state::StateKey::hash_into(self, &mut key);
                ::core::hash::Hasher::write_u64(__hasher, key.finish());
            }
        }
    }
}

fn hash_into(item: &StateItem) -> TokenStream {
    let is_enum = matches!(item.body, Body::Enum { .. });
    let arms = item.constructors().into_iter().enumerate().map(|(tag, (path, parts))| {
        let (pattern, bindings) = (parts.pattern("__a"), parts.bindings("__a").into_iter());
        let fields = (0..parts.0.len()).map(|i| field::name((tag, i)));
        let tag = is_enum.then(|| quote!(__hasher.write_u64(#tag as u64);));
        quote!(#path #pattern => { #tag #((const { #fields.hash_into })(#bindings, __hasher);)* })
    });
    quote!(match self { #(#arms)* })
}

fn key_eq(item: &StateItem) -> TokenStream {
    let equal = |field, a, b| quote!(if !(const { #field.key_eq })(#a, #b) { return false; });
    each_pair(item, equal, quote!(true), quote!(false))
}

fn key_cmp(item: &StateItem) -> TokenStream {
    let tags = item.constructors().into_iter().enumerate().map(|(tag, (path, _))| {
        let tag = tag as u8;
        quote!(#path { .. } => #tag)
    });
    let by_tag = quote! {{
        let __tag = |value: &Self| -> u8 { match value { #(#tags),* } };
        ::core::cmp::Ord::cmp(&__tag(self), &__tag(other))
    }};
    let unequal = |field, a, b| {
        quote! {
            match (const { #field.key_cmp })(#a, #b) {
                ::core::cmp::Ordering::Equal => {}
                __unequal => return __unequal,
            }
        }
    };
    each_pair(item, unequal, quote!(::core::cmp::Ordering::Equal), by_tag)
}

/// A `match` on `self` and `other`: `step` for each field, which may return; then `same`. For two
/// variants `different`.
fn each_pair(
    item: &StateItem,
    step: impl Fn(Ident, Ident, Ident) -> TokenStream,
    same: TokenStream,
    different: TokenStream,
) -> TokenStream {
    let constructors = item.constructors();
    let different = (constructors.len() > 1).then(|| quote!(_ => #different));
    let arms = constructors.into_iter().enumerate().map(|(group, (path, parts))| {
        let (a, b) = (parts.pattern("__a"), parts.pattern("__b"));
        let pairs = parts.bindings("__a").into_iter().zip(parts.bindings("__b"));
        let steps = pairs.enumerate().map(|(i, (a, b))| step(field::name((group, i)), a, b));
        quote!((#path #a, #path #b) => { #(#steps)* #same })
    });
    quote!(match (self, other) { #(#arms)* #different })
}
