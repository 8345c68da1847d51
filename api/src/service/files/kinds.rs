/// The media types that may be uploaded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileKinds(Vec<Kind>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Kind {
    Any,
    /// All of a type, such as `image/*`.
    All(String),
    One(String),
}

impl FileKinds {
    /// Reads a list of media types between commas. The part after the slash may be `*`, and `*` alone
    /// stands for all.
    #[must_use]
    pub fn parse(list: &str) -> Option<Self> {
        list.split(',').map(|kind| Kind::parse(kind.trim())).collect::<Option<_>>().map(Self)
    }

    /// Whether a file of this media type may be uploaded.
    #[must_use]
    pub fn allow(&self, media_type: &str) -> bool {
        self.0.iter().any(|kind| match kind {
            Kind::Any => true,
            Kind::All(of) => media_type
                .split_once('/')
                .is_some_and(|(media_type, _)| media_type.eq_ignore_ascii_case(of)),
            Kind::One(one) => media_type.eq_ignore_ascii_case(one),
        })
    }
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        let is_token = |text: &str| {
            let other = |byte: u8| b"!#$&-^_.+".contains(&byte);
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || other(byte))
        };
        match text.split_once('/') {
            None if text == "*" => Some(Self::Any),
            Some((of, "*")) if is_token(of) => Some(Self::All(of.to_owned())),
            Some((of, one)) if is_token(of) && is_token(one) => Some(Self::One(text.to_owned())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_allows_what_is_in_it() {
        let kinds = FileKinds::parse("image/*, application/pdf").unwrap();
        for kind in ["image/png", "IMAGE/webp", "application/PDF"] {
            assert!(kinds.allow(kind), "{kind}");
        }
        for kind in ["text/html", "application/zip", "image", "", "imagex/png"] {
            assert!(!kinds.allow(kind), "{kind}");
        }
        assert!(FileKinds::parse("*").unwrap().allow("application/octet-stream"));
        for bad in ["", "image", "image/", "/png", "image/*/x", "*/*", "image/png;x", "a/b,,c/d"] {
            assert_eq!(FileKinds::parse(bad), None, "{bad}");
        }
    }
}
