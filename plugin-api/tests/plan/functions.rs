//! What changes by function, and the functions themselves.

use hotshell_plugin_api::abi::Buffer;
use hotshell_plugin_api::collections::{HashMap, Vec};
use hotshell_plugin_api::migrate::lineage::{ConvertFn, DefaultFn, Lineage};
use hotshell_plugin_api::migrate::plan::{How, Image, PlanKind};
use hotshell_plugin_api::state;

use crate::{Version, told};

pub mod v1 {
    use super::*;

    #[state]
    pub struct State {
        pub clocks: HashMap<u64, Vec<Clock>>,
    }

    #[state(schema = 1)]
    #[derive(Debug, PartialEq)]
    pub struct Clock {
        pub time: u64,
    }
}

pub mod v2 {
    use super::*;

    #[state]
    pub struct State {
        pub clocks: HashMap<u64, Vec<Clock>>,
        #[state(default = broken())]
        pub broken: u8,
    }

    #[state(schema = 2, from = Seconds, with = to_millis, back = to_seconds)]
    #[derive(Debug, PartialEq)]
    pub struct Clock {
        pub time: u64,
        #[state(default = 60)]
        pub beat: u8,
    }

    /// The clock of version 1.
    #[state(schema = 1, was = "Clock")]
    pub struct Seconds {
        #[state(was = "time")]
        pub seconds: u64,
    }

    fn broken() -> u8 {
        panic!("no default today")
    }

    fn to_millis(old: &Seconds) -> Clock {
        Clock { time: old.seconds.checked_mul(1000).expect("a time on earth"), beat: 1 }
    }

    fn to_seconds(new: &Clock) -> Seconds {
        Seconds { seconds: new.time / 1000 }
    }
}

pub mod one_way {
    use super::*;

    #[state]
    pub struct State {
        pub clocks: HashMap<u64, Vec<Clock>>,
    }

    #[state(schema = 2, from = v1::Clock, with = |old| Clock { hours: old.time / 3600 })]
    pub struct Clock {
        pub hours: u64,
    }
}

#[test]
fn a_conversion_is_found_at_any_depth_in_both_directions() {
    assert_eq!(
        told::<v1::State, v2::State>(),
        "ByFunction\n\
         State -> State: {clocks +broken}\n\
         HashMap<u64, Vec<Clock>> -> HashMap<u64, Vec<Clock>>: HashMap\n\
         Vec<Clock> -> Vec<Clock>: Vec\n\
         Clock -> Clock: function 4 of the New image"
    );
    assert_eq!(
        told::<v2::State, v1::State>(),
        "ByFunction\n\
         State -> State: {clocks -broken}\n\
         HashMap<u64, Vec<Clock>> -> HashMap<u64, Vec<Clock>>: HashMap\n\
         Vec<Clock> -> Vec<Clock>: Vec\n\
         Clock -> Clock: function 5 of the Old image"
    );
}

#[test]
fn without_back_there_is_no_way_back() {
    let (old, new) = (Version::of::<v1::State, ()>(), Version::of::<one_way::State, ()>());
    assert_eq!(old.plan_to(&new).unwrap().kind, PlanKind::ByFunction);
    assert_eq!(
        new.plan_to(&old).unwrap_err().to_string(),
        "state.clocks[][]: Clock (schema 2) | Clock (schema 1): \
         the conversion between them has no way back"
    );
}

/// The numbers of the two functions of `v2::Clock`.
fn clock_functions() -> (Version, ConvertFn, ConvertFn) {
    let version = Version::of::<v2::State, ()>();
    let conversion = version.lineage.conversions[0].clone();
    let function = |index: u32| {
        let address = version.functions.0[index as usize];
        // SAFETY: the lineage says that this number is a conversion's.
        unsafe { core::mem::transmute::<usize, ConvertFn>(address) }
    };
    let (up, back) = (function(conversion.up), function(conversion.back.unwrap()));
    (version, up, back)
}

#[test]
fn the_functions_convert_and_leave_the_old_value() {
    let (_, up, back) = clock_functions();
    let (old, mut new) = (v1::Clock { time: 7 }, v2::Clock { time: 0, beat: 0 });
    // SAFETY: the types are those of the conversion.
    assert!(unsafe { up((&raw const old).cast(), (&raw mut new).cast()) });
    assert_eq!((&old, &new), (&v1::Clock { time: 7 }, &v2::Clock { time: 7000, beat: 1 }));
    let mut again = v1::Clock { time: 0 };
    // SAFETY: as above.
    assert!(unsafe { back((&raw const new).cast(), (&raw mut again).cast()) });
    assert_eq!(again, old);
}

#[test]
fn a_panic_is_an_answer_and_writes_nothing() {
    let (version, up, _) = clock_functions();
    let (old, mut new) = (v1::Clock { time: u64::MAX }, v2::Clock { time: 5, beat: 5 });
    // SAFETY: the types are those of the conversion.
    assert!(!unsafe { up((&raw const old).cast(), (&raw mut new).cast()) });
    assert_eq!(new, v2::Clock { time: 5, beat: 5 });

    let root = version.schema.root;
    let index = version.lineage.default_of(root, 0, 1).unwrap();
    // SAFETY: the lineage says that this number is a default's.
    let broken: DefaultFn = unsafe { core::mem::transmute(version.functions.0[index as usize]) };
    let mut byte = 9_u8;
    // SAFETY: the field is a `u8`.
    assert!(!unsafe { broken(&raw mut byte) });
    assert_eq!(byte, 9);
}

#[test]
fn a_plan_names_the_image_that_has_the_function() {
    let (old, new) = (Version::of::<v1::State, ()>(), Version::of::<v2::State, ()>());
    let of = |plan: hotshell_plugin_api::migrate::plan::Plan| {
        plan.pairs.iter().find_map(|pair| match pair.how {
            How::Function { image, .. } => Some(image),
            _ => None,
        })
    };
    assert_eq!(of(old.plan_to(&new).unwrap()), Some(Image::New));
    assert_eq!(of(new.plan_to(&old).unwrap()), Some(Image::Old));
}

#[test]
fn a_lineage_survives_its_encoding_and_damage_is_refused() {
    let version = Version::of::<v2::State, v1::Clock>();
    let bytes = version.lineage.encode();
    assert_eq!(Lineage::decode(&bytes, &version.schema).as_ref(), Ok(&version.lineage));
    for len in 0..bytes.len() {
        assert!(Lineage::decode(&bytes[..len], &version.schema).is_err(), "{len} bytes");
    }
    let other = Version::of::<v1::State, ()>();
    let error = Lineage::decode(&bytes, &other.schema).unwrap_err();
    assert_eq!(error.what, "types that are not those of the schema");
}

struct App;

impl hotshell_plugin_api::plugin::Plugin for App {
    type State = v2::State;
    type Session = ();

    fn init(
        _: &mut hotshell_plugin_api::plugin::InitCtx<'_>,
    ) -> Result<v2::State, hotshell_plugin_api::plugin::Refusal> {
        unreachable!("only its tables are asked for")
    }

    fn data(
        _: &mut hotshell_plugin_api::ctx::Ctx<'_, Self>,
        _: &[u8],
    ) -> hotshell_plugin_api::plugin::Flow {
        unreachable!("only its tables are asked for")
    }
}

#[test]
fn a_plugin_tells_its_lineage_through_the_extension_table() {
    use hotshell_plugin_api::migrate::table::{MIGRATE, MigrateTable};
    let table = hotshell_plugin_api::export::table::<App>();
    let find = |name: &str| {
        // SAFETY: the name is valid for the call.
        unsafe { (table.extension)(name.as_ptr(), name.len()) }.cast::<MigrateTable>()
    };
    assert!(find("migrat").is_null());
    // SAFETY: the extension's table lives as long as the image, which is this program.
    let migrate = unsafe { &*find(MIGRATE) };
    assert_eq!(migrate.size as usize, size_of::<MigrateTable>());
    let (mut out, mut functions) = (Buffer::new(), Buffer::new());
    // SAFETY: both buffers are ours.
    let outcome = unsafe { (migrate.lineage)(&raw mut out, &raw mut functions) };
    assert_eq!(outcome.code, hotshell_plugin_api::abi::OUTCOME_DONE);
    let version = Version::of::<v2::State, ()>();
    assert_eq!(Lineage::decode(out.as_slice(), &version.schema), Ok(version.lineage));
    let addresses = functions.as_slice().chunks_exact(8);
    let addresses = addresses.map(|at| usize::from_le_bytes(at.try_into().unwrap()));
    assert_eq!(addresses.collect::<std::vec::Vec<_>>(), version.functions.0);
}
