use hotshell_plugin_api::state;

#[state]
struct Guestbook {
    visits: u64,
    next: *mut u64,
}

fn main() {}
