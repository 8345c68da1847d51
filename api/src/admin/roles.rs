//! Who may what: the least role of each operation, by method and path.

use common::domain::admin_key::AdminRole::{self, Operator, Owner, Viewer};
use poem::http::Method;

/// The one place that says it. docs/admin.md has the same table, and a test holds the two together.
pub const NEEDED: &[(&str, &str, AdminRole)] = &[
    ("GET", "/admin/overview", Viewer),
    ("GET", "/admin/key", Viewer),
    ("POST", "/admin/session", Viewer),
    ("DELETE", "/admin/session", Viewer),
    ("GET", "/admin/users", Viewer),
    ("GET", "/admin/users/{user_id}", Viewer),
    ("GET", "/admin/users/{user_id}/sessions", Viewer),
    ("GET", "/admin/users/{user_id}/events", Viewer),
    ("GET", "/admin/users/{user_id}/deliveries", Viewer),
    ("POST", "/admin/users", Operator),
    ("POST", "/admin/import/users", Owner),
    ("PATCH", "/admin/users/{user_id}", Operator),
    ("DELETE", "/admin/users/{user_id}", Owner),
    ("POST", "/admin/users/{user_id}/phone-number", Operator),
    ("POST", "/admin/users/{user_id}/reveal", Operator),
    ("POST", "/admin/users/{user_id}/export", Operator),
    ("DELETE", "/admin/users/{user_id}/sessions", Operator),
    ("DELETE", "/admin/users/{user_id}/sessions/{session_id}", Operator),
    ("GET", "/admin/numbers/{phone_number}", Viewer),
    ("POST", "/admin/numbers/{phone_number}/unlock", Operator),
    ("POST", "/admin/numbers/{phone_number}/block", Operator),
    ("POST", "/admin/numbers/{phone_number}/unblock", Operator),
    ("POST", "/admin/numbers/{phone_number}/erase", Owner),
    ("GET", "/admin/deliveries", Viewer),
    ("GET", "/admin/deliveries/{delivery_id}", Viewer),
    ("GET", "/admin/dead-letters", Viewer),
    ("GET", "/admin/queue", Viewer),
    ("GET", "/admin/breakers", Viewer),
    ("POST", "/admin/breakers/{provider}/reset", Operator),
    ("GET", "/admin/buckets/{kind}", Viewer),
    ("POST", "/admin/buckets/{kind}/empty", Operator),
    ("GET", "/admin/clients", Viewer),
    ("GET", "/admin/outgoing-events", Viewer),
    ("POST", "/admin/outgoing-events/replay", Operator),
    ("POST", "/admin/outgoing-events/resume", Operator),
    ("GET", "/admin/actions", Viewer),
    ("GET", "/admin/keys", Owner),
    ("POST", "/admin/keys", Owner),
    ("DELETE", "/admin/keys/{key_id}", Owner),
];

/// What nobody has thought of is the owner's.
pub(super) fn needed(method: &Method, pattern: &str) -> AdminRole {
    // Whoever may GET may HEAD.
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    let entry = NEEDED.iter().find(|(known, path, _)| *known == method && *path == pattern);
    entry.map_or(Owner, |(_, _, role)| *role)
}
