//! The three requests.

use std::env;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::Context;
use common::runtime::clock::Clock;
use data_encoding::BASE32_NOPAD;
use poem::error::{InternalServerError, Unauthorized};
use poem::http::{StatusCode, header};
use poem::listener::TcpListener;
use poem::web::{Data, Json};
use poem::{EndpointExt, Request, Route, Server, get, handler, post};
use rand::RngExt;
use redis::Script;
use redis::aio::ConnectionManager;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection,
    EntityTrait, QueryFilter,
};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::entity::{SCHEMA, token, user};

/// As many as the API opens where nothing is said.
const CONNECTIONS: u32 = 10;

static SEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "redis.call('SET', KEYS[1], ARGV[1], 'PX', 300000) redis.call('LPUSH', KEYS[2], ARGV[2])",
    )
});
static VERIFY: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end redis.call('DEL', KEYS[1]) return 1",
    )
});

pub(crate) async fn serve() -> anyhow::Result<()> {
    let setting = |name: &str| env::var(name).with_context(|| name.to_owned());
    let redis = redis::Client::open(setting("REDIS_URL")?)?.get_connection_manager().await?;
    let mut options = ConnectOptions::new(setting("DATABASE_URL")?);
    options.max_connections(CONNECTIONS).test_before_acquire(false).sqlx_logging(false);
    let database = Database::connect(options).await?;
    database.execute_unprepared(SCHEMA).await?;
    let app = Route::new()
        .at("/healthz", get(poem::endpoint::make_sync(|_| "ok")))
        .at("/send", post(send))
        .at("/verify", post(verify))
        .at("/protected", get(protected))
        .data(redis)
        .data(database);
    Server::new(TcpListener::bind(format!("127.0.0.1:{}", setting("PORT")?))).run(app).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Ask {
    name: String,
    phone_number: String,
}

#[handler]
async fn send(Json(ask): Json<Ask>, redis: Data<&ConnectionManager>) -> poem::Result<Json<Value>> {
    let code = rand::rng().random_range(0..1_000_000);
    let job = json!({ "phone_number": ask.phone_number, "name": ask.name });
    SEND.key(&ask.phone_number)
        .key("jobs")
        .arg(format!("{code:06}"))
        .arg(job.to_string())
        .invoke_async::<()>(&mut redis.clone())
        .await
        .map_err(InternalServerError)?;
    Ok(Json(json!({ "success": true, "message": "OTP sent successfully" })))
}

#[derive(Deserialize)]
struct Guess {
    phone_number: String,
    otp: String,
}

#[handler]
async fn verify(
    Json(guess): Json<Guess>,
    redis: Data<&ConnectionManager>,
    database: Data<&DatabaseConnection>,
) -> poem::Result<Json<Value>> {
    let right: bool = VERIFY
        .key(&guess.phone_number)
        .arg(guess.otp)
        .invoke_async(&mut redis.clone())
        .await
        .map_err(InternalServerError)?;
    if !right {
        return Err(poem::Error::from_status(StatusCode::UNAUTHORIZED));
    }
    let new = user::ActiveModel {
        name: Set("Asha".to_owned()),
        phone_number: Set(guess.phone_number),
        ..Default::default()
    };
    let user = user::Entity::insert(new)
        .on_conflict(
            OnConflict::column(user::Column::PhoneNumber)
                .update_column(user::Column::Name)
                .to_owned(),
        )
        .exec_with_returning(*database)
        .await
        .map_err(InternalServerError)?;
    let text = BASE32_NOPAD.encode(&rand::rng().random::<[u8; 16]>());
    let kept = token::ActiveModel {
        hash: Set(Sha256::digest(&text).to_vec()),
        user_id: Set(user.id),
        expiry: Set(Clock::default().now() + Duration::from_secs(48 * 60 * 60)),
    };
    token::Entity::insert(kept)
        .exec_without_returning(*database)
        .await
        .map_err(InternalServerError)?;
    Ok(Json(
        json!({ "success": true, "data": { "id": user.id, "name": user.name }, "token": text }),
    ))
}

#[handler]
async fn protected(
    request: &Request,
    database: Data<&DatabaseConnection>,
) -> poem::Result<Json<Value>> {
    let text =
        request.header(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let hash = Sha256::digest(text.unwrap_or_default()).to_vec();
    user::Entity::find()
        .inner_join(token::Entity)
        .filter(token::Column::Hash.eq(hash))
        .filter(token::Column::Expiry.gt(Clock::default().now()))
        .one(*database)
        .await
        .map_err(InternalServerError)?
        .ok_or_else(|| Unauthorized(std::io::Error::other("no such token")))?;
    Ok(Json(json!({ "data": "Protected" })))
}
