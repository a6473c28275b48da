use hotshell_plugin_api::state;

#[state]
struct Guestbook {
    visits: u64,
    place: (u32, u32),
}

fn main() {}
