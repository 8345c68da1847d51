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
    /// Its methods, comma-separated; none where any method is answered.
    pub(crate) allow: Option<HeaderValue>,
    segments: Vec<String>,
    /// Whether it has every path below it too.
    has_all_below: bool,
}

impl RouteLookup {
    /// The operations of an OpenAPI document, and `others` that are not in it.
    #[must_use]
    pub fn new(document: &Value, others: &[(&str, &[Method])]) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        let documented = paths.map(|(path, operations)| {
            let methods =
                operations.as_object().into_iter().flat_map(|operations| operations.keys());
            MatchedRoute::new(path, methods.map(|method| method.to_ascii_uppercase()).collect())
        });
        let others = others.iter().map(|(path, methods)| {
            MatchedRoute::new(path, methods.iter().map(Method::to_string).collect())
        });
        Self(documented.chain(others).collect())
    }

    /// With a route that answers any method, on its path and on every path below. It is found
    /// first.
    #[must_use]
    pub fn with_all_below(mut self, path: &str) -> Self {
        let route =
            MatchedRoute { allow: None, has_all_below: true, ..MatchedRoute::new(path, vec![]) };
        self.0.insert(0, route);
        self
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
            has_all_below: false,
        }
    }

    /// Whether it knows the method.
    pub(crate) fn answers(&self, method: &Method) -> bool {
        let allow = self.allow.as_ref().and_then(|allow| allow.to_str().ok());
        allow.is_none_or(|methods| methods.split(", ").any(|known| known == method.as_str()))
    }

    fn matches(&self, path: &str) -> bool {
        let mut parts = path.split('/');
        let matches = |segment: &String| {
            parts.next().is_some_and(|part| segment.starts_with('{') || segment == part)
        };
        self.segments.iter().all(matches) && (self.has_all_below || parts.next().is_none())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_pattern_stands_for_all_that_is_below() {
        let document = json!({"paths": {"/a": {"get": {}}, "/a/{id}": {"get": {}}}});
        let lookup =
            RouteLookup::new(&document, &[("/b", &[Method::GET])]).with_all_below("/a/any");
        let pattern = |path| lookup.find(path).map(|route| &*route.pattern);
        for path in ["/a/any", "/a/any/", "/a/any/a", "/a/any/x/../y//z"] {
            assert_eq!(pattern(path), Some("/a/any"), "{path}");
            assert_eq!(lookup.find(path).unwrap().allow, None);
        }
        let others = [("/a", "/a"), ("/a/anyone", "/a/{id}"), ("/a/x", "/a/{id}"), ("/b", "/b")];
        for (path, found) in others {
            assert_eq!(pattern(path), Some(found), "{path}");
            assert!(lookup.find(path).unwrap().allow.is_some());
        }
        for path in ["/", "/a/x/y", "/b/c"] {
            assert_eq!(pattern(path), None, "{path}");
        }
    }
}
