//! What the database keeps of files: room, leases, progress, removal.

use std::collections::HashMap;

use common::accounts::entities::file;
use common::accounts::{Accounts, Created, FileRoom, Leased, NewFile, Progress};
use common::domain::file_name::FileName;
use common::domain::ids::{FileId, LeaseId};
use common::domain::token::Token;
use common::runtime::clock::Clock;
use futures_util::future::join_all;
use time::{Duration, OffsetDateTime};

use crate::support::accounts::AccountStores;
use crate::support::durations::MINUTE;
use crate::support::numbers::NUMBER;

const NO_LIMIT: FileRoom = FileRoom { files: 0, bytes: 0 };

impl AccountStores {
    async fn user(&self) -> i64 {
        let session = Self::session(&Token::random(), self.now + Duration::HOUR);
        self.sign_in_with(0, NUMBER, session, 0).await.unwrap().user.id
    }

    async fn announce(&self, user_id: i64, id: &FileId, size: i64, room: FileRoom) -> Created {
        let name = FileName::parse("clip.mp4").unwrap();
        let file = NewFile {
            id,
            user_id,
            name: &name,
            declared_type: Some("video/mp4"),
            size,
            expires_at: self.now + Duration::DAY,
        };
        self.stores[0].create_file(&file, room, self.now).await.unwrap()
    }

    /// A file of so many bytes.
    async fn file(&self, user_id: i64, size: i64) -> FileId {
        let id = FileId::random();
        assert_eq!(self.announce(user_id, &id, size, NO_LIMIT).await, Created::Done);
        id
    }

    async fn keep(&self, file: &file::Model, lease: &LeaseId, progress: Progress) -> bool {
        let expires_at = self.now + Duration::DAY;
        self.stores[0]
            .keep_progress(file.serial, lease, &progress, MINUTE, expires_at)
            .await
            .unwrap()
    }

    /// So long after now all leases end; before it where that is negative.
    async fn leases_end_in(&self, milliseconds: i64) {
        let until = Clock::default().unix_ms() + milliseconds;
        let sql = format!("UPDATE files SET leased_until = {until} WHERE lease IS NOT NULL");
        self.database.execute(&sql).await;
    }
}

async fn take(accounts: &Accounts, user_id: i64, id: &FileId, most: i64) -> (LeaseId, Leased) {
    let lease = LeaseId::random();
    let leased = accounts.lease_file(user_id, id, &lease, MINUTE, most).await.unwrap();
    (lease, leased)
}

fn model(leased: Leased) -> file::Model {
    match leased {
        Leased::To(file) => *file,
        other => panic!("{other:?}"),
    }
}

#[async_test]
async fn simultaneous_announcements_do_not_pass_the_room_of_a_user() {
    let stores = AccountStores::new().await;
    let user = stores.user().await;
    for (room, refusal, most) in [
        (FileRoom { files: 3, bytes: 0 }, Created::TooMany, 3),
        (FileRoom { files: 0, bytes: 55 }, Created::NoRoom, 5),
    ] {
        let ids: Vec<FileId> = (0..12).map(|_| FileId::random()).collect();
        let all = join_all(ids.iter().map(|id| stores.announce(user, id, 10, room))).await;
        let done = all.iter().filter(|one| **one == Created::Done).count();
        assert_eq!(done, most, "{all:?}");
        assert!(all.iter().all(|one| [Created::Done, refusal].contains(one)), "{all:?}");
        for id in &ids {
            stores.stores[0].remove_file(user, id).await.unwrap();
        }
    }
    let nobody = stores.announce(user + 1, &FileId::random(), 1, NO_LIMIT).await;
    assert_eq!(nobody, Created::NoUser);
}

#[async_test]
async fn one_request_at_a_time_writes_to_a_file() {
    let stores = AccountStores::new().await;
    let (user, accounts) = (stores.user().await, &stores.stores[0]);
    let id = stores.file(user, 100).await;
    let all = join_all((0..10).map(|_| take(accounts, user, &id, 0))).await;
    let (got, locked): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(_, leased)| matches!(leased, Leased::To(_)));
    assert_eq!((got.len(), locked.len()), (1, 9));
    assert!(locked.iter().all(|(_, leased)| *leased == Leased::Locked));
    let (lease, leased) = got.into_iter().next().unwrap();
    let file = model(leased);

    // Its holder writes, and prolongs it by a minute; nobody else does either.
    stores.leases_end_in(5_000).await;
    let progress =
        Progress { size: 100, received: 40, hash_state: Some(vec![1, 2]), ..Progress::default() };
    assert!(!stores.keep(&file, &LeaseId::random(), progress.clone()).await);
    assert!(stores.keep(&file, &lease, progress).await);
    let held = accounts.file(user, &id).await.unwrap().unwrap();
    let left = held.leased_until - Clock::default().unix_ms();
    assert!((30_000..=60_000).contains(&left), "{left}");
    assert!(accounts.is_leased(&held).await.unwrap());
    assert_eq!(take(accounts, user, &id, 0).await.1, Leased::Locked);
    stores.leases_end_in(-1).await;
    assert!(!accounts.is_leased(&held).await.unwrap());
    let (other, leased) = take(accounts, user, &id, 0).await;
    let file = model(leased);
    assert_eq!((file.received, file.hash_state.as_deref()), (40, Some(&[1, 2][..])));
    let late = Progress { size: 100, received: 99, ..Progress::default() };
    assert!(!stores.keep(&file, &lease, late).await, "its lease is another's");
    accounts.end_lease(file.serial, &lease).await.unwrap();
    assert_eq!(take(accounts, user, &id, 0).await.1, Leased::Locked);
    stores.leases_end_in(-1).await;
    assert!(accounts.prolong_lease(file.serial, &other, MINUTE).await.unwrap());
    assert!(!accounts.prolong_lease(file.serial, &lease, MINUTE).await.unwrap());
    assert_eq!(take(accounts, user, &id, 0).await.1, Leased::Locked);
    accounts.end_lease(file.serial, &other).await.unwrap();
    assert!(matches!(take(accounts, user, &id, 0).await.1, Leased::To(_)));
    assert_eq!(take(accounts, user + 1, &id, 0).await.1, Leased::Unknown);
}

#[async_test]
async fn a_user_writes_to_a_bounded_number_of_files_at_once() {
    let stores = AccountStores::new().await;
    let (user, accounts) = (stores.user().await, &stores.stores[0]);
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(stores.file(user, 100).await);
    }
    let all = join_all(ids.iter().map(|id| take(accounts, user, id, 3))).await;
    let got = all.iter().filter(|(_, leased)| matches!(leased, Leased::To(_))).count();
    assert_eq!(got, 3, "{all:?}");
    stores.leases_end_in(-1).await;
    assert!(matches!(take(accounts, user, &ids[0], 3).await.1, Leased::To(_)));
}

#[async_test]
async fn parts_are_kept_in_order_until_a_file_is_complete() {
    let stores = AccountStores::new().await;
    let (user, accounts) = (stores.user().await, &stores.stores[0]);
    let id = stores.file(user, 100).await;
    let (lease, leased) = take(accounts, user, &id, 0).await;
    let file = model(leased);
    let part = |number: i64| (number, format!("etag-{number}"));
    for (received, parts) in [(50, vec![part(1), part(0)]), (60, vec![part(1), part(2)])] {
        let progress = Progress { size: 100, received, parts, ..Progress::default() };
        assert!(stores.keep(&file, &lease, progress).await);
        assert!(!accounts.complete_file(file.serial, stores.now).await.unwrap());
    }
    let parts = accounts.file_parts(file.serial).await.unwrap();
    assert_eq!(parts, ["etag-0", "etag-1", "etag-2"]);

    let sha256 = Some(vec![7; 32]);
    let progress = Progress { size: 100, received: 100, sha256, ..Progress::default() };
    assert!(stores.keep(&file, &lease, progress).await);
    assert!(accounts.files_to_complete(0, 10).await.unwrap().is_empty(), "it has a lease");
    stores.leases_end_in(-1).await;
    assert_eq!(accounts.files_to_complete(0, 10).await.unwrap().len(), 1);
    assert!(accounts.complete_file(file.serial, stores.now).await.unwrap());
    assert!(!accounts.complete_file(file.serial, stores.now).await.unwrap());
    assert!(accounts.files_to_complete(0, 10).await.unwrap().is_empty());
    let file = accounts.file(user, &id).await.unwrap().unwrap();
    assert_eq!((file.completed_at, file.sha256.unwrap().len()), (Some(stores.now), 32));
    assert!(accounts.file_parts(file.serial).await.unwrap().is_empty());
}

/// A checked upload writes all of its parts at once, and within the time that any call may take.
#[async_test]
async fn ten_thousand_parts_are_written_at_once() {
    let stores = AccountStores::new().await;
    let (user, accounts) = (stores.user().await, &stores.stores[0]);
    let id = stores.file(user, 100).await;
    let (lease, leased) = take(accounts, user, &id, 0).await;
    let file = model(leased);
    let parts: Vec<_> = (0..10_000).map(|number| (number, format!("etag-{number:036}"))).collect();
    let progress = Progress { size: 100, received: 50, parts, ..Progress::default() };
    for _ in 0..2 {
        assert!(stores.keep(&file, &lease, progress.clone()).await);
    }
    let kept = accounts.file_parts(file.serial).await.unwrap();
    let expected: Vec<_> = progress.parts.into_iter().map(|(_, part)| part).collect();
    assert!(kept == expected);
}

#[async_test]
async fn what_expires_and_what_a_deleted_user_had_is_to_be_removed() {
    let stores = AccountStores::new().await;
    let (user, accounts) = (stores.user().await, &stores.stores[0]);
    let (kept, expired, removed) =
        (stores.file(user, 0).await, stores.file(user, 9).await, stores.file(user, 9).await);
    let file = accounts.file(user, &kept).await.unwrap().unwrap();
    assert!(
        !accounts.complete_file(file.serial, stores.now).await.unwrap(),
        "nobody has hashed it"
    );
    let (lease, _) = take(accounts, user, &kept, 0).await;
    let hashed = Progress { sha256: Some(vec![7; 32]), ..Progress::default() };
    assert!(stores.keep(&file, &lease, hashed).await);
    accounts.end_lease(file.serial, &lease).await.unwrap();
    assert!(accounts.complete_file(file.serial, stores.now).await.unwrap());

    let ids = async || -> Vec<String> {
        let files = accounts.removed_files(0, 10).await.unwrap();
        files.into_iter().map(|file| file.id).collect()
    };
    let gone = accounts.remove_file(user, &removed).await.unwrap().unwrap();
    assert_eq!((gone.id.as_str(), gone.user_id), (removed.as_str(), None));
    assert_eq!(accounts.remove_file(user, &removed).await.unwrap(), None);
    assert_eq!(accounts.file(user, &removed).await.unwrap(), None);
    assert_eq!(ids().await, [removed.as_str()]);

    // Somebody writes to the one that has expired.
    let late = stores.now + Duration::DAY;
    let expire = async |now: OffsetDateTime| accounts.remove_expired_files(now, 10).await.unwrap();
    take(accounts, user, &expired, 0).await;
    assert_eq!(expire(late).await, 0);
    stores.leases_end_in(-1).await;
    assert_eq!(expire(late - Duration::SECOND).await, 0);
    assert_eq!(expire(late).await, 1);
    assert_eq!(ids().await, [expired.as_str(), removed.as_str()]);
    let asked = [&expired, &kept].map(ToString::to_string);
    let known = accounts.known_files(&[&asked[..], &["other".to_owned()]].concat()).await.unwrap();
    let expected: HashMap<_, _> = asked.into_iter().zip([None, Some(user)]).collect();
    assert_eq!(known, expected);

    let number = accounts.number_of(user).await.unwrap().unwrap();
    assert!(accounts.delete_user(user, &number, stores.now).await.unwrap());
    let all = accounts.removed_files(0, 10).await.unwrap();
    assert_eq!(all.len(), 3);
    for file in all {
        accounts.forget_file(file.serial).await.unwrap();
    }
    assert_eq!(ids().await, [""; 0]);
}
