//! Goal: what is set aside from deep within an entry of a map knows its entry, and is there again. Method:
//! a list and a function below a struct in the entries of a small and of a large map.

use hotshell_plugin_api::collections::{HashMap, Vec};
use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::testing::TestServer;

mod wide {
    use hotshell_plugin_api::state;

    use super::{HashMap, Vec};

    #[state(schema = 1)]
    pub struct State {
        pub groups: HashMap<u32, Group>,
    }

    #[state]
    pub struct Group {
        pub scores: Vec<u64>,
        pub at: Moment,
    }

    #[state(schema = 1)]
    pub struct Moment {
        pub seconds: u64,
    }
}

mod narrow {
    use hotshell_plugin_api::state;

    use super::{HashMap, Vec};

    #[state(schema = 1)]
    pub struct State {
        pub groups: HashMap<u32, Group>,
    }

    #[state]
    pub struct Group {
        pub scores: Vec<u32>,
        pub at: Moment,
    }

    #[state(schema = 2, from = Seconds, with = up, back = down)]
    pub struct Moment {
        pub millis: u64,
    }

    #[state(schema = 1, was = "Moment")]
    pub struct Seconds {
        pub seconds: u64,
    }

    fn up(old: &Seconds) -> Moment {
        assert!(old.seconds != super::UNLUCKY, "no such moment");
        Moment { millis: old.seconds * 1000 }
    }

    fn down(new: &Moment) -> Seconds {
        Seconds { seconds: new.millis / 1000 }
    }
}

silent!(Wide, wide::State);
silent!(Narrow, narrow::State);

/// A moment over which the conversion panics.
const UNLUCKY: u64 = 13;

#[test]
fn what_is_lost_deep_within_an_entry_is_there_again() {
    for size in [20, 5000] {
        let mut server = TestServer::<Wide>::new();
        for n in 0..size {
            let scores = [u64::from(n), 1 << 40 | u64::from(n)].into_iter().collect();
            let at = wide::Moment { seconds: if n == 7 { UNLUCKY } else { 60 } };
            server.state_mut().groups.insert(n, wide::Group { scores, at });
        }
        let mut server = server.swap_to::<Narrow>().expect("there is a way");
        server.drain();
        assert_eq!(server.set_aside() as u32, size, "a score each, and one entry");
        assert_eq!(server.conversions_panicked(), 1);
        assert!(server.state().groups.get(&7).is_none());
        let group = server.state().groups.get(&8).expect("it is there");
        assert_eq!((&*group.scores, group.at.millis), (&[8][..], 60_000));
        server.state_mut().groups.remove(&9);
        let mut server = server.swap_to::<Wide>().expect("there is a way back");
        server.drain();
        for n in (0..size).filter(|&n| n != 9) {
            let group = server.state().groups.get(&n).expect("it is there");
            assert_eq!(*group.scores, [u64::from(n), 1 << 40 | u64::from(n)], "{n}");
            assert_eq!(group.at.seconds, if n == 7 { UNLUCKY } else { 60 });
        }
        assert_eq!((server.set_aside(), server.overtaken()), (0, 0));
    }
}
