use hotshell_plugin_api::state;

#[state]
struct Pair<T> {
    left: T,
    right: T,
}

#[state]
struct Name<'a>(&'a str);

#[state]
enum Block<const N: usize> {
    Full([u8; N]),
}

fn main() {}
