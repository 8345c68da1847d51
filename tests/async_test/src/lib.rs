//! `#[async_test]`, the attribute of every test that awaits.

use proc_macro::TokenStream;

/// A test on two threads: helpers that block (a Redis command, the start of a server) must not stop
/// the fakes and the proxies that run beside the test.
#[proc_macro_attribute]
pub fn async_test(_: TokenStream, test: TokenStream) -> TokenStream {
    let attribute = r#"#[::tokio::test(flavor = "multi_thread", worker_threads = 2)]"#;
    attribute.parse::<TokenStream>().into_iter().flatten().chain(test).collect::<TokenStream>()
}
