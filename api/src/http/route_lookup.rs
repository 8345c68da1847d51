//! The paths that exist: their patterns, for metrics and traces, and their methods, for the `Allow`
//! of a 405 (RFC 9110) and of a preflight.

use std::sync::Arc;

use poem::http::{HeaderValue, Method};
use serde_json::Value;

#[derive(Clone, Debug, Default)]
pub struct RouteLookup(Vec<MatchedRoute>);

#[derive(Clone, Debug)]
pub(crate) struct MatchedRoute {
    /// Like `/deliveries/{delivery_id}`.
    pub(crate) pattern: Arc<str>,
    /// Its methods, comma-separated; none where they are no header value.
    pub(crate) allow: Option<HeaderValue>,
    segments: Vec<String>,
}

impl RouteLookup {
    /// The operations of an OpenAPI document, and `others` that are not in it.
    #[must_use]
    pub fn new(document: &Value, others: &[(&str, Method)]) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        let documented = paths.map(|(path, operations)| {
            let methods =
                operations.as_object().into_iter().flat_map(|operations| operations.keys());
            MatchedRoute::new(path, methods.map(|method| method.to_ascii_uppercase()).collect())
        });
        let others =
            others.iter().map(|(path, method)| MatchedRoute::new(path, vec![method.to_string()]));
        Self(documented.chain(others).collect())
    }

    pub(crate) fn find(&self, path: &str) -> Option<&MatchedRoute> {
        self.0.iter().find(|route| route.matches(path))
    }
}

impl MatchedRoute {
    fn new(pattern: &str, mut methods: Vec<String>) -> Self {
        // Whoever answers GET answers HEAD.
        if methods.iter().any(|method| method == "GET") {
            methods.push(Method::HEAD.to_string());
        }
        methods.sort();
        Self {
            pattern: pattern.into(),
            allow: methods.join(", ").try_into().ok(),
            segments: pattern.split('/').map(str::to_owned).collect(),
        }
    }

    fn matches(&self, path: &str) -> bool {
        let mut parts = path.split('/');
        let matches = |segment: &String| {
            parts.next().is_some_and(|part| segment.starts_with('{') || segment == part)
        };
        self.segments.iter().all(matches) && parts.next().is_none()
    }
}
