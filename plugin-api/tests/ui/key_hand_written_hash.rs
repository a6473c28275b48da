use hotshell_plugin_api::state;
use std::hash::{Hash, Hasher};

#[state(key)]
struct Name {
    id: u64,
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.id % 10).hash(state);
    }
}

fn main() {}
