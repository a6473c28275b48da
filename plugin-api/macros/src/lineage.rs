//! Emits `StateType::lineage`: older names, what new fields start with, conversions.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use crate::default;
use crate::model::{Body, Conversion, Part, StateItem};

/// The method, which says nothing where the author said nothing and no field has a default.
pub fn lineage(item: &StateItem) -> TokenStream {
    let (names, conversions) = (names(item), item.conversions.iter().map(conversion));
    let groups = item.groups().into_iter().enumerate();
    let fields = groups.flat_map(|(group, parts)| {
        let every = has_every_default(item, group);
        parts.0.iter().enumerate().map(move |(i, part)| field(part, (group, i), every))
    });
    let probe = probe();
    quote! {
        #[allow(clippy::redundant_closure)]
        fn lineage(__lineage: &mut ::hotshell_plugin_api::migrate::lineage::LineageBuilder) {
            #probe
            #names
            #(#fields)*
            #(#conversions)*
        }
    }
}

fn names(item: &StateItem) -> TokenStream {
    let types = item.was.iter().map(|was| quote!(__lineage.type_was(#was);));
    let variants = match &item.body {
        Body::Struct { .. } => &[][..],
        Body::Enum { variants, .. } => variants,
    };
    let variants = variants.iter().enumerate().flat_map(|(i, variant)| {
        let i = i as u32;
        variant.was.iter().map(move |was| quote!(__lineage.variant_was(#i, #was);))
    });
    quote!(#(#types)* #(#variants)*)
}

/// Whether `Default` is implemented from the fields of this group, so that each has a value.
fn has_every_default(item: &StateItem, group: usize) -> bool {
    match &item.body {
        Body::Struct { default, .. } => *default,
        Body::Enum { default, .. } => *default == Some(group),
    }
}

fn field(part: &Part, (group, i): (usize, usize), every: bool) -> TokenStream {
    let (group, i, ty) = (group as u32, i as u32, &part.ty);
    // Errors point at the type; the names are ours, also when the type came out of a macro.
    let span = Span::call_site().located_at(ty.span());
    let names = part.was.iter().map(|was| quote!(__lineage.field_was(#group, #i, #was);));
    let start = if every || part.default.is_some() {
        let value = default::value(part);
        quote_spanned! {span=>
            <__Start<#ty>>::with(__lineage, #group, #i, || #value);
        }
    } else {
        quote_spanned!(span=> <__Start<#ty>>::with_its_own(__lineage, #group, #i);)
    };
    quote!(#(#names)* #start)
}

/// Closures around the author's functions, so that a function of another type is one error, there.
fn conversion(conversion: &Conversion) -> TokenStream {
    let Conversion { old, with, back, .. } = conversion;
    let span = old.span();
    let up = quote_spanned! {with.span()=> |__old: &#old| -> Self {
        let __up: fn(&#old) -> Self = #with;
        __up(__old)
    }};
    let Some(back) = back else {
        return quote_spanned!(span=> __lineage.one_way::<#old, Self, _>(#up););
    };
    let back = quote_spanned! {back.span()=> |__new: &Self| -> #old {
        let __back: fn(&Self) -> #old = #back;
        __back(__new)
    }};
    quote_spanned!(span=> __lineage.conversion::<#old, Self, _, _>(#up, #back);)
}

/// `__Start<T>::with_its_own` is the inherent function where `T` has a `Default` and the trait's
/// otherwise, which does nothing: such a field cannot be added to a state that exists. `with` is
/// the trait's where `T` is no state type, which is refused elsewhere already.
fn probe() -> TokenStream {
    let builder = quote!(&mut ::hotshell_plugin_api::migrate::lineage::LineageBuilder);
    quote! {
        #[allow(dead_code)]
        struct __Start<T>(::core::marker::PhantomData<T>);
        #[allow(dead_code)]
        impl<T: ::hotshell_plugin_api::state::StateType> __Start<T> {
            fn with<F>(lineage: #builder, variant: u32, field: u32, value: F)
            where
                F: Fn() -> T + Copy + 'static,
            {
                lineage.field_starts_with::<T, F>(variant, field, value);
            }
        }
        #[allow(dead_code)]
        impl<T: ::hotshell_plugin_api::state::StateType + ::core::default::Default> __Start<T> {
            fn with_its_own(lineage: #builder, variant: u32, field: u32) {
                Self::with(lineage, variant, field, <T as ::core::default::Default>::default);
            }
        }
        #[allow(dead_code)]
        trait __NoStart<T>: Sized {
            fn with<F: Fn() -> T>(_: #builder, _: u32, _: u32, _: F) {}
            fn with_its_own(_: #builder, _: u32, _: u32) {}
        }
        impl<T> __NoStart<T> for __Start<T> {}
    }
}
