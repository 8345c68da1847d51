//! Numbers that no SMS is sent to are refused before anything is stored.

use crate::support::client::Answer;
use crate::support::in_process::{InProcess, Setup};
use crate::support::numbers::address;

const MESSAGE: &str = "SMS are not sent to this number's country or type";

async fn is_refused(app: &InProcess, number: &str) {
    app.at(&address(0)).ask(number).await.expect_error(403, MESSAGE, "destination_not_allowed");
    let keys = app.redis.lives();
    assert!(keys.is_empty(), "{number} left {keys:?}");
}

#[async_test]
async fn kinds_that_get_no_sms_or_cost_extra() {
    let app = Setup::defaults().set("ALLOWED_COUNTRIES", "*").start().await;
    for (kind, number) in [
        ("premium rate", "+19002345678"),
        ("premium rate", "+449012345678"),
        ("premium rate of no country", "+979123456789"),
        ("toll free", "+18002345678"),
        ("toll free", "+911800123456"),
        ("toll free", "+78005553535"),
        ("toll free of no country", "+80012345678"),
        ("shared cost", "+9118601234567"),
        ("shared cost", "+448431234567"),
        ("shared cost of no country", "+80812345678"),
        ("personal", "+447012345678"),
        ("fixed line", "+442079460000"),
        ("fixed line", "+912223456789"),
        ("fixed line", "+390612345678"),
        ("pager", "+447640123456"),
        ("company", "+445512345678"),
        ("for films", "+447700900123"),
    ] {
        println!("{kind} {number}");
        is_refused(&app, number).await;
    }
}

#[async_test]
async fn only_countries_that_are_allowed() {
    let ask =
        async |app: &InProcess, number: &str| -> Answer { app.at(&address(0)).ask(number).await };
    let (indian, american, british) = ("+919876543210", "+12025550143", "+447400123456");

    let app = Setup::defaults().start().await;
    is_refused(&app, american).await;
    is_refused(&app, "+881612345678").await;
    ask(&app, indian).await.expect(200);

    let app = Setup::defaults().set("DEFAULT_COUNTRY", "US").start().await;
    is_refused(&app, indian).await;
    ask(&app, "(202) 555-0143").await.expect(200);

    let app = Setup::defaults().set("ALLOWED_COUNTRIES", "US, GB").start().await;
    is_refused(&app, indian).await;
    is_refused(&app, "9876543210").await;
    ask(&app, american).await.expect(200);
    ask(&app, british).await.expect(200);
}

/// Who guesses learns nothing of where SMS are sent to.
#[async_test]
async fn verifying_says_nothing_about_destinations() {
    let app = Setup::defaults().start().await;
    for number in ["+12025550143", "+19002345678", "+919876543210"] {
        app.at(&address(0)).guess_wrong(number, "123456", 1).await;
    }
}

/// Of those that share a calling code, a country that cannot tell its numbers from its neighbour's
/// lets them in; one that can does not.
#[async_test]
async fn countries_that_share_a_calling_code() {
    let (finnish, british, of_jersey) = ("+358412345678", "+447400123456", "+447797712345");
    for (default_country, number) in [
        ("AX", finnish),
        ("SJ", "+4741234567"),
        ("BL", "+590690001234"),
        ("CC", "+61412345678"),
        ("EH", "+212650123456"),
    ] {
        let app = Setup::defaults().set("DEFAULT_COUNTRY", default_country).start().await;
        println!("{default_country}");
        app.at(&address(0)).ask(number).await.expect(200);
    }
    let app = Setup::defaults().set("ALLOWED_COUNTRIES", "GB").start().await;
    is_refused(&app, of_jersey).await;
    let app = Setup::defaults().set("ALLOWED_COUNTRIES", "GB,JE").start().await;
    for number in [british, of_jersey] {
        app.at(&address(0)).ask(number).await.expect(200);
    }
}
