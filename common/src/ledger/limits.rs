//! Every limit: its setting and default, what it counts for how long, and how a refusal is told.
//! Settings, the scripts' constants, errors, metrics and documents are made from this table.

use clap::Args;
use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr, VariantArray};

/// Windows, in ms.
const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;

/// Wrong guesses that a challenge bears, from strangers and from known addresses each. It is no
/// setting: how likely it is that a code is guessed depends on it.
pub(crate) const GUESSES_PER_CHALLENGE: u32 = 5;

/// What a limit counts for, each apart.
#[derive(Clone, Copy, Debug, Display, Eq, PartialEq)]
pub enum Scope {
    #[strum(serialize = "number")]
    Number,
    #[strum(serialize = "client address")]
    Address,
    #[strum(serialize = "network of the client address")]
    Network,
    #[strum(serialize = "number and client address")]
    Both,
    #[strum(serialize = "number prefix")]
    Range,
    #[strum(serialize = "country")]
    Country,
    #[strum(serialize = "service")]
    Service,
}

/// One setting of a limit.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Its setting, as a field of [`LimitConfig`].
    pub setting: &'static str,
    /// How many are allowed where nothing is set.
    pub default: u32,
    /// Within so many ms; a bucket drains in that time.
    pub window: i64,
    pub scope: Scope,
    /// What a send is refused with.
    pub kind: LimitKind,
}

macro_rules! limits {
    ($(
        $(#[doc = $decides:literal])+
        $kind:ident($code:literal, $message:literal) {$(
            $(#[doc = $meaning:literal])+
            $setting:ident: $default:literal in $window:ident for $scope:ident,
        )*}
    )*) => {
        /// Why a send is refused.
        #[derive(
            Clone, Copy, Debug, Deserialize, Eq, Hash, IntoStaticStr, PartialEq, VariantArray,
        )]
        #[serde(rename_all = "snake_case")]
        #[strum(const_into_str, serialize_all = "snake_case")]
        pub enum LimitKind {
            $($(#[doc = $decides])+ $kind,)*
        }

        impl LimitKind {
            /// What clients tell it by.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$kind => $code,)* }
            }

            /// What people read. It says nothing about whether the number has an account.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Self::$kind => $message,)* }
            }

            /// What decides, for the documents.
            #[must_use]
            pub const fn decides(self) -> &'static str {
                match self { $(Self::$kind => concat!($($decides),+),)* }
            }
        }

        /// How many are allowed. A limit may be raised as far as one likes and is still checked; 0
        /// turns one off.
        #[derive(Args, Clone, Debug, Serialize)]
        pub struct LimitConfig {
            $($(
                $(#[doc = $meaning])+
                #[arg(long, env, default_value_t = $default)]
                pub $setting: u32,
            )*)*
        }

        /// All of them, in the order of the settings.
        pub const LIMITS: &[Limit] = &[$($(
            Limit {
                setting: stringify!($setting),
                default: $default,
                window: $window,
                scope: Scope::$scope,
                kind: LimitKind::$kind,
            },
        )*)*];
    };
}

// A bucket is emptied by a verification, so it counts unverified sends.
limits! {
    /// Seconds, doubled with each send since the last sign-in, to a day at most; a day without a
    /// send begins anew
    Cooldown("resend_cooldown", "An OTP was just sent; wait before asking again") {
        /// Seconds between two sends to a number, doubling with each until it signs in, up to a
        /// day; 0 turns it off
        send_cooldown_seconds: 30 in DAY for Number,
    }
    /// The log of sends to the number; a known address then has as many of its own
    NumberHour("number_hour_limit", "Too many OTPs for this number within an hour") {
        /// Sends to a number in an hour; 0 turns it off
        sends_per_number_hour: 5 in HOUR for Number,
    }
    /// The log of sends to the number: two thirds for all, the rest for known addresses
    NumberDay("number_day_limit", "Too many OTPs for this number within a day") {
        /// Sends to a number in a day, from whatever address, a third of them for known addresses
        /// only; 0 turns it off
        sends_per_number_day: 10 in DAY for Number,
    }
    /// The bucket of the client address
    Address("address_limit", "Too many OTPs asked for from this network") {
        /// Unverified sends in an hour for a client address (IPv6: a /64); 0 turns it off
        sends_per_address_hour: 20 in HOUR for Address,
    }
    /// The bucket of the network: an IPv4 /24 or an IPv6 /48
    Network("network_limit", "Too many OTPs asked for from networks around this one") {
        /// Unverified sends in an hour for a network of client addresses (IPv4: a /24, IPv6: a
        /// /48); 0 turns it off
        sends_per_network_hour: 200 in HOUR for Network,
    }
    /// The bucket of the number prefix: the number without its last three digits
    Range("range_limit", "Too many OTPs asked for around this number") {
        /// Unverified sends in an hour to a range of numbers (all but the last three digits); 0
        /// turns it off
        sends_per_range_hour: 10 in HOUR for Range,
    }
    /// The bucket of the number's country
    Country("country_limit", "Too many OTPs asked for in this country") {
        /// Unverified sends in an hour to the default country; 0 turns it off
        sends_per_country_hour: 1000 in HOUR for Country,
        /// Unverified sends in an hour to each other country; 0 turns it off
        sends_per_foreign_country_hour: 50 in HOUR for Country,
    }
    /// The bucket of all sends, the spend guard
    Service("service_limit", "Too many OTPs asked for at the moment") {
        /// Unverified sends in an hour in all: the spend guard; 0 turns it off
        sends_per_hour: 2000 in HOUR for Service,
    }
    /// The logs of wrong guesses: an OTP is not sent where it would not be compared
    WrongGuesses("wrong_guess_limit", "Too many wrong OTPs; try again later") {
        /// Wrong OTPs in an hour for a number from one address; 0 turns it off
        wrong_guesses_per_hour: 10 in HOUR for Both,
        /// Wrong OTPs in an hour from an address, also where there was none; known addresses of a
        /// number pass it; 0 turns it off
        wrong_guesses_per_address_hour: 60 in HOUR for Address,
        /// Wrong OTPs in an hour from a network of client addresses (IPv4: a /24, IPv6: a /48);
        /// known addresses of a number pass it; 0 turns it off
        wrong_guesses_per_network_hour: 600 in HOUR for Network,
        /// Wrong OTPs in an hour for a number; its known addresses pass it; 0 turns it off
        wrong_guesses_per_number_hour: 30 in HOUR for Number,
        /// Wrong OTPs in a day for a number, from whatever address, a third of them for known
        /// addresses only (NIST SP 800-63B: at most 100); 0 turns it off
        wrong_guesses_per_number_day: 100 in DAY for Number,
    }
    /// Five wrong guesses at the living OTP, or five from known addresses; until it expires
    Burned("otp_burned", "Too many wrong OTPs; ask for a new one later") {}
    /// An operator has blocked the number
    Blocked("number_blocked", "This number is blocked") {}
}
