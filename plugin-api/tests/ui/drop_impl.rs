use hotshell_plugin_api::state;

#[state]
struct Guestbook {
    visits: u64,
}

impl Drop for Guestbook {
    fn drop(&mut self) {}
}

fn main() {}
