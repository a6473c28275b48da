//! The macros of `hotshell-plugin-api`, which re-exports and documents them.

mod default;
mod field;
mod key;
mod lineage;
mod model;
mod options;
mod parse;
mod recursion;
mod shape;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_macro_input};

use crate::model::StateItem;

/// Makes a struct or enum a type of server state. See `hotshell_plugin_api::state`.
#[proc_macro_attribute]
pub fn state(
    options: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    let mut item = parse_macro_input!(item as DeriveInput);
    let emitted = match parse::parse(options.into(), &mut item) {
        Ok(state) => emit(&state),
        Err(error) => error.into_compile_error(),
    };
    quote!(#item #emitted).into()
}

fn emit(item: &StateItem) -> TokenStream {
    let (fields, stand_in) = (field::constants(item), recursion::stand_in(item));
    let (state_type, drop_guard) = (shape::state_type(item), shape::drop_guard(&item.ident));
    let (key, default) = (key::key(item), default::default(item));
    quote! {
        #[allow(unsafe_code)]
        const _: () = {
            #stand_in
            #fields
            #state_type
            #drop_guard
            #key
            #default
        };
    }
}
