use hotshell_plugin_api::state;

#[state(version = 1)]
struct A;

#[state]
struct B {
    #[state(rename = "y")]
    x: u64,
}

#[state]
enum C {
    #[state(tag = 4)]
    X,
}

#[state(schema = 1, schema = 2)]
struct D;

#[state(schema = "one")]
struct E;

#[state(no_default)]
enum F {
    X,
}

#[state]
struct G {
    #[state(was = "y", was = "y")]
    x: u64,
}

#[state]
#[state(key)]
struct H;

fn main() {}
