use hotshell_plugin_api::state;

#[state]
struct Guestbook {
    visits: u64,
    #[cfg(test)]
    tries: u64,
}

fn main() {}
