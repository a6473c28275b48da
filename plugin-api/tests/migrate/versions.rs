//! Two versions of a plugin whose state differs in every way that needs no function.

use std::io::Write;

use hotshell_plugin_api::prelude::*;

pub mod one {
    use hotshell_plugin_api::collections::{BTreeMap, Box, HashMap, String, Vec, VecDeque};
    use hotshell_plugin_api::state;

    #[state(schema = 1)]
    pub struct State {
        pub visits: u32,
        pub title: String,
        pub gone: String,
        pub floor: i32,
        #[state(default = 4)]
        pub maybe: u64,
        pub boxed: Box<u32>,
        pub days: [i32; 3],
        pub line: Vec<Entry>,
        pub queue: VecDeque<Entry>,
        pub by_id: HashMap<u64, Shape>,
        pub ranked: BTreeMap<String, Entry>,
    }

    #[state]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Entry {
        pub score: u32,
        pub note: String,
    }

    #[state]
    #[derive(Debug, Clone, PartialEq)]
    pub enum Shape {
        #[state(default)]
        Dot,
        Square {
            side: u32,
        },
        Circle {
            radius: u64,
        },
    }

    #[state]
    pub struct Session {
        pub count: u8,
    }
}

pub mod two {
    use hotshell_plugin_api::collections::{BTreeMap, Box, HashMap, Option, String, Vec, VecDeque};
    use hotshell_plugin_api::state;

    #[state(schema = 1)]
    pub struct State {
        pub ranked: BTreeMap<String, Entry>,
        pub by_id: HashMap<u64, Shape>,
        pub visits: u64,
        #[state(was = "title")]
        pub name: String,
        #[state(default = "none yet, and that is said in more than a few bytes".into())]
        pub motto: String,
        pub place: Place,
        pub maybe: Option<u64>,
        pub boxed: Box<u64>,
        pub days: [i64; 3],
        pub line: Vec<Entry>,
        pub queue: VecDeque<Entry>,
    }

    #[state]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Place {
        pub house: u32,
        pub floor: i32,
    }

    #[state]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Entry {
        pub note: String,
        pub score: u64,
        #[state(default = 1)]
        pub tries: u32,
    }

    #[state]
    #[derive(Debug, Clone, PartialEq)]
    pub enum Shape {
        #[state(default)]
        Dot,
        Star(String),
        Circle {
            radius: u64,
        },
        Square {
            side: u64,
        },
    }

    #[state]
    pub struct Session {
        pub turns: u32,
        pub count: u32,
    }
}

/// Answers each byte with the number of bytes so far; version 2 adds how many it saw itself.
pub struct App1;
pub struct App2;

impl Plugin for App1 {
    type State = one::State;
    type Session = one::Session;

    fn init(_: &mut InitCtx<'_>) -> Result<one::State, Refusal> {
        Ok(one::State::default())
    }

    fn data(ctx: &mut Ctx<'_, Self>, _: &[u8]) -> Flow {
        ctx.begin(1);
        ctx.session.count += 1;
        let _ = write!(ctx.out, "{} ", ctx.session.count);
        Flow::Done(1)
    }
}

impl Plugin for App2 {
    type State = two::State;
    type Session = two::Session;

    fn init(_: &mut InitCtx<'_>) -> Result<two::State, Refusal> {
        Ok(two::State::default())
    }

    fn data(ctx: &mut Ctx<'_, Self>, _: &[u8]) -> Flow {
        ctx.begin(1);
        ctx.session.count += 1;
        ctx.session.turns += 1;
        let _ = write!(ctx.out, "{}/{} ", ctx.session.count, ctx.session.turns);
        Flow::Done(1)
    }
}

/// A version with a default that panics.
pub struct Broken;

/// Its state.
pub mod broken {
    use super::one;
    use hotshell_plugin_api::collections::{HashMap, String, Vec};
    use hotshell_plugin_api::state;

    #[state(schema = 1)]
    pub struct State {
        pub line: Vec<Entry>,
        pub by_id: HashMap<u64, one::Shape>,
        pub title: String,
        #[state(default = never())]
        pub never: u8,
    }

    #[state]
    pub struct Entry {
        pub score: u64,
        #[state(default = "a default that owns memory, since it is long".into())]
        pub note: String,
    }

    fn never() -> u8 {
        panic!("not today")
    }
}

impl Plugin for Broken {
    type State = broken::State;
    type Session = one::Session;

    fn init(_: &mut InitCtx<'_>) -> Result<broken::State, Refusal> {
        Err(Refusal::new("only for swaps"))
    }

    fn data(_: &mut Ctx<'_, Self>, _: &[u8]) -> Flow {
        Flow::Close
    }
}

/// A version that has something else in a place.
pub struct Other;

/// Its state.
pub mod other {
    use hotshell_plugin_api::collections::String;
    use hotshell_plugin_api::state;

    #[state(schema = 1)]
    pub struct State {
        pub visits: String,
    }
}

impl Plugin for Other {
    type State = other::State;
    type Session = ();

    fn init(_: &mut InitCtx<'_>) -> Result<other::State, Refusal> {
        Ok(other::State::default())
    }

    fn data(_: &mut Ctx<'_, Self>, _: &[u8]) -> Flow {
        Flow::Close
    }
}
