//! Scripts that add jobs to the queue together with whatever else they change.

use redis::{Script, ScriptInvocation};

use super::NAMES;

const ENQUEUE_LUA: &str = include_str!("lua/enqueue.lua");

/// A Lua script that can add jobs. Its body may call
///
/// - `enqueue(job_id, payload)`: a job that is due now, and a worker is woken;
/// - `enqueue_at(due_ms, job_id, payload)`: one that is due at that Unix time in ms;
///
/// where `job_id` is a fresh ULID and `payload` the JSON of a job, both made by the caller.
///
/// The queue's key names are passed by [`QueueScript::prepare_invoke`]; inside the body, `KEYS[1]`
/// is the first key that the caller added. The names `active`, `data`, `meta`, `retry`,
/// `wake_channel`, `wake`, `put` and `forget` are taken.
#[derive(Debug)]
pub struct QueueScript(Script);

impl QueueScript {
    /// A script of `body` with the functions above before it.
    #[must_use]
    pub fn new(body: &str) -> Self {
        Self(Script::new(&format!("{ENQUEUE_LUA}\n{body}")))
    }

    /// An invocation that knows the queue; add the body's own keys and arguments.
    #[must_use]
    pub fn prepare_invoke(&self) -> ScriptInvocation<'_> {
        let names = &*NAMES;
        let mut invocation = self.0.prepare_invoke();
        invocation
            .key(&names.active)
            .key(&names.data)
            .key(&names.meta)
            .key(&names.retry)
            .key(&names.wake);
        invocation
    }
}
