//! What somebody tries who has a token, or a number, or codes that were meant for something else.

use std::collections::BTreeSet;

use http::HeaderMap;
use serde_json::{Value, json};

use super::{
    Codes, DELETION, NEW, NUMBER, OTHER, PHONE_NUMBER, both, codes_in_process, deletion_in_process,
};
use crate::support::client::Answer;
use crate::support::in_process::{Caller, InProcess, Setup, another};
use crate::support::numbers::{address, spread};

fn is_wrong(answer: Answer, what: &str) {
    assert_eq!(answer.status, 401, "{what}: {answer:?}");
    answer.expect_error(401, "Invalid or expired OTP", "invalid_otp");
}

/// Codes of ten digits, none of which is another one by chance.
async fn start() -> InProcess {
    Setup::limits_off().set("OTP_LENGTH", 10).start().await
}

/// Everything that is sent around two accounts: the owner's to a new number and to another, a
/// sign-in, a deletion, and a stranger's change to the same new number.
struct Sent {
    sign_in: String,
    deletion: String,
    change: Codes,
    elsewhere: Codes,
    stranger: Codes,
}

impl Sent {
    fn all(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("a sign-in's", &self.sign_in),
            ("a deletion's", &self.deletion),
            ("the current number's", &self.change.current),
            ("the new number's", &self.change.new),
            ("the current number's, for another new one", &self.elsewhere.current),
            ("another new number's", &self.elsewhere.new),
            ("the stranger's current number's", &self.stranger.current),
            ("the new number's, for the stranger", &self.stranger.new),
        ]
    }

    /// Four at a time, because five wrong guesses burn a code.
    fn all_but(&self, right: &str) -> Vec<Vec<(&'static str, &str)>> {
        let others: Vec<_> = self.all().into_iter().filter(|(_, code)| *code != right).collect();
        others.chunks(4).map(<[_]>::to_vec).collect()
    }
}

#[async_test]
async fn a_code_serves_only_what_it_was_sent_for() {
    const STRANGER: &str = "+919876500000";
    let app = start().await;
    // An address that the number is known from and one that it is not have guesses of their own.
    let (home, away) = (app.at(&address(0)), app.at(&address(1)));
    let owner = home.sign_in(NUMBER).await.token().to_owned();
    let stranger = away.sign_in(STRANGER).await.token().to_owned();
    let sent = Sent {
        sign_in: home.code_for(NUMBER).await,
        deletion: deletion_in_process(&app, &home, &owner).await,
        change: codes_in_process(&app, &home, &owner, NEW).await,
        elsewhere: codes_in_process(&app, &home, &owner, OTHER).await,
        stranger: codes_in_process(&app, &away, &stranger, NEW).await,
    };
    let codes: BTreeSet<&str> = sent.all().iter().map(|(_, code)| *code).collect();
    assert_eq!(codes.len(), 8, "each is a code of its own");
    let change = &sent.change;

    for (caller, some) in [&home, &away].into_iter().zip(sent.all_but(&sent.sign_in)) {
        for (what, code) in some {
            is_wrong(caller.verify(NUMBER, code).await, &format!("{what} code to sign in"));
        }
    }
    for (caller, some) in [&home, &away].into_iter().zip(sent.all_but(&sent.deletion)) {
        for (what, code) in some {
            let answer = caller.post_as(&owner, DELETION, &json!({"otp": code})).await;
            is_wrong(answer, &format!("{what} code to delete"));
        }
    }
    for (caller, some) in [&home, &away].into_iter().zip(sent.all_but(&change.current)) {
        for (what, code) in some {
            let answer = caller.post_as(&owner, PHONE_NUMBER, &both(NEW, code, &change.new)).await;
            is_wrong(answer, &format!("{what} code to leave"));
        }
    }
    // Nobody signed in with the new number yet, so both addresses have five guesses together.
    for code in [&sent.sign_in, &change.current, &sent.elsewhere.new, &sent.stranger.new] {
        let answer = home.post_as(&owner, PHONE_NUMBER, &both(NEW, &change.current, code)).await;
        is_wrong(answer, "another code to take the new number");
    }
    let turned_round = both(NEW, &change.new, &change.current);
    is_wrong(away.post_as(&owner, PHONE_NUMBER, &turned_round).await, "both, in the wrong order");
    let theirs = both(NEW, &change.current, &change.new);
    is_wrong(
        away.post_as(&stranger, PHONE_NUMBER, &theirs).await,
        "the owner's codes, in the stranger's account",
    );
    let mixed = both(NEW, &sent.stranger.current, &change.new);
    is_wrong(
        away.post_as(&stranger, PHONE_NUMBER, &mixed).await,
        "the owner's new code, in the stranger's account",
    );

    // Each of them is as good as it was, for what it was sent for.
    home.verify(NUMBER, &sent.sign_in).await.expect(200);
    home.post_as(&owner, PHONE_NUMBER, &both(NEW, &change.current, &change.new)).await.expect(200);
    let taken = both(NEW, &sent.stranger.current, &sent.stranger.new);
    away.post_as(&stranger, PHONE_NUMBER, &taken).await.expect_code(409, "phone_number_taken");
    // The account has left the number that this was sent to.
    is_wrong(
        home.post_as(&owner, DELETION, &json!({"otp": sent.deletion})).await,
        "the code to the number of before",
    );
}

#[async_test]
async fn a_token_alone_neither_moves_nor_deletes() {
    let app = start().await;
    let owner = app.at(&address(0)).sign_in(NUMBER).await.token().to_owned();
    let thief = app.at(&address(9));
    let asked =
        thief.post_as(&owner, PHONE_NUMBER, &json!({"phone_number": NEW})).await.expect(200);
    // The thief reads what comes to the new number, and only that.
    let own = app.deliver_id(asked.body["new_delivery_id"].as_str().unwrap()).await;
    let for_sign_in = thief.code_for(NEW).await;
    for (current, new) in [(&own, &own), (&for_sign_in, &own), (&another(&own, 1), &own)] {
        is_wrong(thief.post_as(&owner, PHONE_NUMBER, &both(NEW, current, new)).await, "a guess");
    }
    for code in [&own, &for_sign_in] {
        is_wrong(thief.post_as(&owner, DELETION, &json!({"otp": code})).await, "a guess");
    }
    // The owner of the new number signs in there, as somebody else.
    let other = thief.verify(NEW, &for_sign_in).await.expect(200);
    assert_eq!(other.body["message"], "User registered successfully");
    app.at(&address(0)).sign_in(NUMBER).await;
}

/// All of an answer but what is random in it.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl From<Answer> for Seen {
    fn from(answer: Answer) -> Self {
        let Answer { status, mut headers, mut body, .. } = answer;
        assert!(headers.remove("x-request-id").is_some());
        for field in ["current_delivery_id", "new_delivery_id"] {
            if let Some(id) = body.get_mut(field) {
                assert!(id.as_str().is_some_and(|id| id.len() == 26), "{id}");
                *id = Value::Null;
            }
        }
        Self { status, headers, body }
    }
}

/// Everything that somebody can try who does not have the new number's phone.
async fn probe(app: &InProcess, prober: &Caller<'_>, token: &str, number: &str) -> Vec<Seen> {
    let mut seen = Vec::new();
    for guesses in [0, 3, 2, 1] {
        let asked = prober.post_as(token, PHONE_NUMBER, &json!({"phone_number": number})).await;
        let Some(id) = asked.body["current_delivery_id"].as_str().map(str::to_owned) else {
            seen.push(asked.into());
            app.advance(std::time::Duration::from_secs(3600));
            continue;
        };
        let new = app.deliver_id(asked.body["new_delivery_id"].as_str().unwrap()).await;
        let current = app.deliver_id(&id).await;
        seen.push(asked.into());
        for step in 1..=guesses {
            let body = both(number, &current, &another(&new, step));
            seen.push(prober.post_as(token, PHONE_NUMBER, &body).await.into());
        }
        let too_soon = prober.post_as(token, PHONE_NUMBER, &json!({"phone_number": number})).await;
        seen.push(too_soon.into());
        app.advance(std::time::Duration::from_secs(900));
    }
    seen
}

/// With all limits as they are, on which the new number's own past leaves no trace either.
#[async_test]
async fn a_taken_number_looks_like_any_other_until_both_codes_are_given() {
    let mut all = Vec::new();
    for taken in [true, false] {
        let app = Setup::defaults().start().await;
        let prober = app.at(&address(1));
        if taken {
            app.at(&address(0)).sign_in(NEW).await;
        }
        let token = prober.sign_in(NUMBER).await.token().to_owned();
        app.advance(std::time::Duration::from_secs(26 * 60 * 60));
        all.push(probe(&app, &prober, &token, NEW).await);
    }
    assert_eq!(all[0], all[1]);
    let statuses: BTreeSet<u16> = all[0].iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, BTreeSet::from([200, 401, 429]));
}

#[async_test]
async fn a_taken_number_is_refused_once_both_codes_are_given_and_they_stay_used() {
    let app = start().await;
    let (client, holder) = (app.at(&address(0)), app.at(&address(1)));
    holder.sign_in(NEW).await;
    let token = client.sign_in(NUMBER).await.token().to_owned();
    let codes = codes_in_process(&app, &client, &token, NEW).await;
    let give = async |current: &str, new: &str| {
        client.post_as(&token, PHONE_NUMBER, &both(NEW, current, new)).await
    };
    is_wrong(give(&codes.current, &another(&codes.new, 1)).await, "one is wrong");
    is_wrong(give(&another(&codes.current, 1), &codes.new).await, "one is wrong");
    give(&codes.current, &codes.new).await.expect_code(409, "phone_number_taken");
    is_wrong(give(&codes.current, &codes.new).await, "both are used");
    assert_eq!(client.sign_in(NUMBER).await.body["message"], "User logged in successfully");
    assert_eq!(holder.sign_in(NEW).await.body["message"], "User logged in successfully");
}

/// Who has ten accounts has no more guesses at a number than who has one.
#[async_test]
async fn accounts_without_number_share_the_guesses_at_a_number() {
    let app = Setup::limits_off().set("WRONG_GUESSES_PER_NUMBER_HOUR", 12).start().await;
    let mut refused = 0;
    for n in 0..5 {
        let client = app.at(&address(n));
        let token = client.sign_in(&spread(n)).await.token().to_owned();
        let asked = client.post_as(&token, PHONE_NUMBER, &json!({"phone_number": NEW})).await;
        if asked.status == 429 {
            asked.expect_code(429, "wrong_guess_limit");
            refused += 1;
            continue;
        }
        let current = app.deliver_id(asked.body["current_delivery_id"].as_str().unwrap()).await;
        let new = app.deliver_id(asked.body["new_delivery_id"].as_str().unwrap()).await;
        for step in 1..=4 {
            let body = both(NEW, &current, &another(&new, step));
            is_wrong(client.post_as(&token, PHONE_NUMBER, &body).await, "a guess");
        }
    }
    assert_eq!(refused, 2, "three accounts guess twelve times");
}
