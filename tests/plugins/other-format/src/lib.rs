//! A plugin as another hotshell-plugin-api would have made it: its boundary is right, but a map in its
//! state is in a format that the host does not know.

use hotshell_plugin_api::collections::hash_map::FORMAT;
use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::schema::{Kind, SchemaBuilder, TypeDef, mix};
use hotshell_plugin_api::state::StateType;

/// What stands for the map of another format: a number.
#[derive(Debug)]
pub struct OtherMap(pub u64);

// SAFETY: a number, which is never taken for what it says that it is: no host loads it.
unsafe impl StateType for OtherMap {
    const FINGERPRINT: u64 = mix(Kind::HashMap as u64, FORMAT as u64 + 1);

    fn describe(schema: &mut SchemaBuilder) -> TypeDef {
        let args = vec![schema.add::<u64>(), schema.add::<u32>()];
        TypeDef::collection(Kind::HashMap, FORMAT + 1, args)
    }
}

/// The plugin, which is never called.
#[derive(Debug)]
pub struct OtherFormat;

impl Plugin for OtherFormat {
    type State = OtherMap;
    type Session = ();

    fn init(_: &mut InitCtx<'_>) -> Result<OtherMap, Refusal> {
        Ok(OtherMap(0))
    }

    fn data(_: &mut Ctx<'_, Self>, _: &[u8]) -> Flow {
        Flow::NeedMore
    }
}

export_plugin!(OtherFormat);
