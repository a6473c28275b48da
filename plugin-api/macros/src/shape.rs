//! Emits `StateType`: the fingerprint and the description, and the offsets that both tell.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;

use crate::field;
use crate::lineage;
use crate::model::{Body, Parts, StateItem, Variant};

/// `unsafe impl StateType`, with the constants it uses.
pub fn state_type(item: &StateItem) -> TokenStream {
    let (ident, offsets) = (&item.ident, offsets(item));
    let (fingerprint, describe, number) = (fingerprint(item), describe(item), item.schema);
    let lineage = lineage::lineage(item);
    quote! {
        #offsets
        // SAFETY: every field is a state type, `repr` fixes the layout, and both functions tell all
        // of it.
        unsafe impl ::hotshell_plugin_api::state::StateType for #ident {
            const FINGERPRINT: u64 = #fingerprint;
            const NUMBER: u32 = #number;
            fn describe(
                __schema: &mut ::hotshell_plugin_api::schema::SchemaBuilder,
            ) -> ::hotshell_plugin_api::schema::TypeDef {
                #describe
            }
            #lineage
        }
    }
}

/// A compile error when someone implements `Drop`: state is freed through the schema, so a `drop`
/// would run under one version and not under the next.
pub fn drop_guard(ident: &Ident) -> TokenStream {
    let guard = quote_spanned!(ident.span()=> impl StateTypesMustNotImplementDrop for #ident {});
    quote! {
        #[allow(dead_code)]
        trait StateTypesMustNotImplementDrop {}
        #[allow(drop_bounds)]
        impl<T: ::core::ops::Drop> StateTypesMustNotImplementDrop for T {}
        #guard
    }
}

/// One array of offsets for a struct, one per variant for an enum.
fn offsets(item: &StateItem) -> TokenStream {
    match &item.body {
        Body::Struct { parts, .. } => struct_offsets(&item.ident, parts),
        Body::Enum { variants, .. } => enum_offsets(variants),
    }
}

fn struct_offsets(ident: &Ident, parts: &Parts) -> TokenStream {
    let (name, count) = (offsets_of_group(0), parts.0.len());
    let members = parts.0.iter().map(|part| &part.member);
    quote!(const #name: [usize; #count] = [#(::core::mem::offset_of!(#ident, #members)),*];)
}

/// `offset_of!` does not know variants yet. A `repr(u8)` enum is a union of `repr(C)` structs that
/// each begin with the tag (Rust Reference, "Primitive representation of field-carrying enums").
fn enum_offsets(variants: &[Variant]) -> TokenStream {
    let arrays = variants.iter().enumerate().map(|(tag, variant)| {
        let (name, count) = (offsets_of_group(tag), variant.parts.0.len());
        let types = variant.parts.0.iter().map(|part| &part.ty);
        quote! {
            const #name: [usize; #count] =
                __offsets_after_tag([#(::core::alloc::Layout::new::<#types>()),*]);
        }
    });
    quote! {
        const fn __offsets_after_tag<const N: usize>(
            fields: [::core::alloc::Layout; N],
        ) -> [usize; N] {
            let mut offsets = [0; N];
            let mut end = 1;
            let mut i = 0;
            while i < N {
                offsets[i] = usize::next_multiple_of(end, fields[i].align());
                end = offsets[i] + fields[i].size();
                i += 1;
            }
            offsets
        }
        #(#arrays)*
    }
}

fn offsets_of_group(group: usize) -> Ident {
    format_ident!("__OFFSETS_{group}")
}

fn kind(item: &StateItem) -> TokenStream {
    match item.body {
        Body::Struct { .. } => quote!(::hotshell_plugin_api::schema::Kind::Struct),
        Body::Enum { .. } => quote!(::hotshell_plugin_api::schema::Kind::Enum),
    }
}

fn fingerprint(item: &StateItem) -> TokenStream {
    let (kind, name, schema) = (kind(item), item.ident.unraw().to_string(), item.schema);
    let content = match &item.body {
        Body::Struct { parts, .. } => mix_parts(0, parts),
        Body::Enum { variants, .. } => {
            let count = variants.len();
            let each = variants.iter().enumerate().map(|(tag, variant)| {
                let name = variant.ident.unraw().to_string();
                let parts = mix_parts(tag, &variant.parts);
                quote! {
                    let __h = ::hotshell_plugin_api::schema::mix_text(__h, #name);
                    let __h = ::hotshell_plugin_api::schema::mix(__h, #tag as u64);
                    #parts
                }
            });
            quote! {
                let __h = ::hotshell_plugin_api::schema::mix(__h, #count as u64);
                #(#each)*
            }
        }
    };
    quote! {{
        let __h = ::hotshell_plugin_api::schema::mix(#kind as u64, #schema as u64);
        let __h = ::hotshell_plugin_api::schema::mix_text(__h, #name);
        let __h = ::hotshell_plugin_api::schema::mix(__h, ::core::mem::size_of::<Self>() as u64);
        let __h = ::hotshell_plugin_api::schema::mix(__h, ::core::mem::align_of::<Self>() as u64);
        #content
        __h
    }}
}

fn mix_parts(group: usize, parts: &Parts) -> TokenStream {
    let (offsets, count) = (offsets_of_group(group), parts.0.len());
    let each = parts.0.iter().enumerate().map(|(i, part)| {
        let (name, field) = (&part.name, field::name((group, i)));
        quote! {
            let __h = ::hotshell_plugin_api::schema::mix_text(__h, #name);
            let __h = ::hotshell_plugin_api::schema::mix(__h, #offsets[#i] as u64);
            let __h = ::hotshell_plugin_api::schema::mix(__h, #field.fingerprint);
        }
    });
    quote! {
        let __h = ::hotshell_plugin_api::schema::mix(__h, #count as u64);
        #(#each)*
    }
}

fn describe(item: &StateItem) -> TokenStream {
    let (kind, name, schema) = (kind(item), item.ident.unraw().to_string(), item.schema);
    let content = match &item.body {
        Body::Struct { parts, .. } => {
            let fields = describe_parts(0, parts);
            quote!(fields: #fields)
        }
        Body::Enum { variants, .. } => {
            let variants = variants.iter().enumerate().map(|(i, v)| describe_variant(i, v));
            quote!(variants: ::std::vec![#(#variants),*])
        }
    };
    quote! {
        ::hotshell_plugin_api::schema::TypeDef {
            name: ::std::string::String::from(#name),
            format: #schema,
            #content,
            ..::hotshell_plugin_api::schema::TypeDef::new(#kind)
        }
    }
}

fn describe_variant(position: usize, variant: &Variant) -> TokenStream {
    let (name, tag) = (variant.ident.unraw().to_string(), position as u8);
    let fields = describe_parts(position, &variant.parts);
    quote! {
        ::hotshell_plugin_api::schema::Variant {
            name: ::std::string::String::from(#name),
            tag: #tag,
            fields: #fields,
        }
    }
}

fn describe_parts(group: usize, parts: &Parts) -> TokenStream {
    let offsets = offsets_of_group(group);
    let fields = parts.0.iter().enumerate().map(|(i, part)| {
        let (name, field) = (&part.name, field::name((group, i)));
        quote! {
            ::hotshell_plugin_api::schema::Field {
                name: ::std::string::String::from(#name),
                offset: #offsets[#i] as u32,
                ty: (#field.add)(__schema),
            }
        }
    });
    quote!(::std::vec![#(#fields),*])
}
