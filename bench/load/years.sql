-- Fills a migrated, empty database as after years of use: USERS and EVENTS stand for how many. Tables
-- are filled in the order of time, so ids grow with it. What refers to users refers to those that
-- there are, so the database need not look.
SET session_replication_role = replica;
SET synchronous_commit = off;

-- Of 40 first and 50 last names; the one in the middle has a name of their own.
INSERT INTO users (created_at, name, phone_number)
SELECT now() - (USERS - n) * interval '25 seconds',
    CASE WHEN n = USERS / 2 THEN 'Xylophia Quincunx' ELSE
        (ARRAY['Asha', 'Ravi', 'Meera', 'Arjun', 'Priya', 'Kiran', 'Anil', 'Sunita', 'Vijay', 'Lata',
            'Omar', 'Zoë', 'José', 'Wei', 'Yuki', 'Fatima', 'Ivan', 'Olga', 'Kofi', 'Amara',
            'Noah', 'Emma', 'Liam', 'Mia', 'Lucas', 'Sofia', 'Hugo', 'Clara', 'Felix', 'Nora',
            'Ahmed', 'Layla', 'Hassan', 'Salma', 'Tariq', 'Nadia', 'Chen', 'Ling', 'Hiro', 'Sakura'
        ])[1 + n % 40] || ' ' ||
        (ARRAY['Rao', 'Singh', 'Patel', 'Kumar', 'Sharma', 'Gupta', 'Iyer', 'Nair', 'Das', 'Bose',
            'Khan', 'Ali', 'Hussain', 'Müller', 'Schmidt', 'Weber', 'Novak', 'Petrov', 'Ivanova', 'Costa',
            'Silva', 'García', 'López', 'Martin', 'Bernard', 'Dubois', 'Rossi', 'Russo', 'Ferrari', 'Jansen',
            'Smith', 'Jones', 'Brown', 'Taylor', 'Wilson', 'Mensah', 'Okafor', 'Diallo', 'Tanaka', 'Sato',
            'Suzuki', 'Wang', 'Li', 'Zhang', 'Liu', 'Nguyen', 'Tran', 'Kim', 'Park', 'Choi'
        ])[1 + (n / 40) % 50]
    END,
    '+91' || (7000000000 + n)
FROM generate_series(1, USERS) AS n;

-- Within 90 days. A twentieth of them are of one user, whose app has its token renewed all the time.
INSERT INTO events (created_at, user_id, kind, address, session_id, details)
SELECT now() - (EVENTS - n) * (interval '90 days' / EVENTS),
    CASE WHEN n % 20 = 0 THEN USERS / 2 ELSE 1 + floor(random() * USERS)::bigint END,
    CASE WHEN n % 20 = 0 THEN 'renewed' ELSE
        (ARRAY['signed_in', 'signed_in', 'signed_in', 'signed_up', 'renewed', 'renewed', 'signed_out',
            'signed_out', 'name_changed', 'file_link_made'])[1 + floor(random() * 10)::int]
    END,
    '203.0.113.7', substr(md5(n::text), 1, 26), '{"device":"Cheershare/1.0 (Android 15)"}'
FROM generate_series(1, EVENTS) AS n;

-- A third of the users is signed in; the one in the middle five hundred times, and was once more.
INSERT INTO tokens (hash, user_id, expiry, scope, created_at, last_used_at, device)
SELECT decode(md5('token ' || n), 'hex'),
    CASE WHEN n <= 1000 THEN USERS / 2 ELSE 1 + floor(random() * USERS)::bigint END,
    now() + CASE WHEN n <= 500 THEN interval '-1 day' ELSE interval '1 day' END,
    'authentication', now() - interval '1 day', now(), 'Cheershare/1.0 (Android 15)'
FROM generate_series(1, USERS / 3) AS n;

INSERT INTO admin_keys (hash, name, role, created_at)
SELECT decode(md5('key ' || n), 'hex'), 'Key ' || n, 'viewer', now()
FROM generate_series(1, 500) AS n;

INSERT INTO admin_actions (created_at, key_id, key_name, kind, user_id, subject, reason)
SELECT now() - (USERS - n) * interval '25 seconds',
    CASE WHEN n <= 10 THEN 500 ELSE 1 + n % 20 END, 'Key',
    CASE WHEN n <= 10 THEN 'events_resumed' ELSE
        (ARRAY['number_unlocked', 'user_revealed', 'user_renamed', 'sessions_ended'])[1 + n % 4]
    END,
    CASE WHEN n % 2 = 0 THEN 1 + floor(random() * USERS)::bigint END, '+91********10', 'Ticket 4711'
FROM generate_series(1, USERS) AS n;

-- A few were given up long ago; many wait for a webhook that is away.
INSERT INTO outbox (created_at, kind, payload, attempts, due_at, failure)
SELECT now(), CASE WHEN n <= 100 THEN 'dead_event' ELSE 'event' END,
    '{"id":"evt_' || n || '","type":"user.created","data":{}}', 3, 4000000000000, '503'
FROM generate_series(1, USERS / 5) AS n;

INSERT INTO logouts (sid, user_id, client_id, uri)
SELECT substr(md5(n::text), 1, 26), 1 + floor(random() * USERS)::bigint, 'notes', 'https://notes.example.com/logout'
FROM generate_series(1, USERS / 10) AS n;

INSERT INTO files (id, user_id, name, size, created_at, expires_at, completed_at)
SELECT substr(md5('file ' || n), 1, 26), 1 + floor(random() * USERS)::bigint, 'holiday.jpg', 1000, now(), now(), now()
FROM generate_series(1, USERS / 5) AS n;

SET session_replication_role = DEFAULT;
SET synchronous_commit = DEFAULT;
ANALYZE;
