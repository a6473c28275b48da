//! Emits `Default`: what a new field starts with.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

use crate::model::{Body, Part, StateItem};

/// `impl Default`, for a struct unless refused, for an enum where a variant is marked.
pub fn default(item: &StateItem) -> TokenStream {
    let (path, parts) = match &item.body {
        Body::Struct { parts, default: true } => (quote!(Self), parts),
        Body::Enum { variants, default: Some(tag) } => variants[*tag].constructor(),
        _ => return TokenStream::new(),
    };
    let (ident, members) = (&item.ident, parts.0.iter().map(|part| &part.member));
    let (values, of_types) = (parts.0.iter().map(value), default_of_types());
    quote! {
        #of_types
        impl ::core::default::Default for #ident {
            fn default() -> Self {
                #path { #(#members: #values),* }
            }
        }
    }
}

/// The value that a field starts with.
pub fn value(part: &Part) -> TokenStream {
    part.default.as_ref().map_or_else(|| value_of_type(&part.ty), |value| quote!(#value))
}

fn value_of_type(ty: &Type) -> TokenStream {
    if let Type::Array(array) = ty {
        // Std has `Default` for arrays of up to 32 elements only.
        let element = value_of_type(&array.elem);
        return quote!(::core::array::from_fn(|_| #element));
    }
    quote_spanned!(ty.span()=> <__Default<#ty>>::value())
}

/// `__Default<T>::value()` is the inherent function where `T` is a state type and the trait's
/// otherwise: there the field is refused already, and that `T` has no `Default` either is not what
/// its author needs to hear.
fn default_of_types() -> TokenStream {
    quote! {
        #[diagnostic::on_unimplemented(
            message = "`{Self}` has no `Default` for a new field to start with",
            label = "no `Default`",
            note = "write #[state(default = EXPR)] on the field, mark a variant of an enum with \
                    #[state(default)], or write #[state(no_default)] on the whole struct",
        )]
        trait __HasDefault: Sized {
            fn of_type() -> Self;
        }
        impl<T: ::core::default::Default> __HasDefault for T {
            fn of_type() -> Self {
                ::core::default::Default::default()
            }
        }
        struct __Default<T>(::core::marker::PhantomData<T>);
        #[allow(dead_code)]
        impl<T: ::hotshell_plugin_api::state::StateType> __Default<T> {
            fn value() -> T
            where
                T: __HasDefault,
            {
                T::of_type()
            }
        }
        #[allow(dead_code)]
        trait __NoDefault<T>: Sized {
            fn value() -> T {
                ::core::unreachable!()
            }
        }
        impl<T> __NoDefault<T> for __Default<T> {}
    }
}
