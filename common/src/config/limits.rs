use clap::Args;

/// What the ledger allows. A limit may be raised as far as one likes and is still checked; 0 turns
/// one off.
#[derive(Args, Clone, Debug)]
pub struct LimitConfig {
    /// Seconds between two sends to a number, doubling with each until it signs in, up to a day; 0
    /// turns it off
    #[arg(long, env, default_value_t = 30)]
    pub send_cooldown_seconds: u32,
    /// Sends to a number in an hour; 0 turns it off
    #[arg(long, env, default_value_t = 5)]
    pub sends_per_number_hour: u32,
    /// Sends to a number in a day, from whatever address, a third of them for known addresses only; 0
    /// turns it off
    #[arg(long, env, default_value_t = 10)]
    pub sends_per_number_day: u32,
    /// Unverified sends in an hour for a client address (IPv6: a /64); 0 turns it off
    #[arg(long, env, default_value_t = 20)]
    pub sends_per_address_hour: u32,
    /// Unverified sends in an hour for a network of client addresses (IPv4: a /24, IPv6: a /48); 0
    /// turns it off
    #[arg(long, env, default_value_t = 200)]
    pub sends_per_network_hour: u32,
    /// Unverified sends in an hour to a range of numbers (all but the last three digits); 0 turns
    /// it off
    #[arg(long, env, default_value_t = 10)]
    pub sends_per_range_hour: u32,
    /// Unverified sends in an hour to the default country; 0 turns it off
    #[arg(long, env, default_value_t = 1000)]
    pub sends_per_country_hour: u32,
    /// Unverified sends in an hour to each other country; 0 turns it off
    #[arg(long, env, default_value_t = 50)]
    pub sends_per_foreign_country_hour: u32,
    /// Unverified sends in an hour in all: the spend guard; 0 turns it off
    #[arg(long, env, default_value_t = 2000)]
    pub sends_per_hour: u32,
    /// Wrong OTPs in an hour for a number from one address; 0 turns it off
    #[arg(long, env, default_value_t = 10)]
    pub wrong_guesses_per_hour: u32,
    /// Wrong OTPs in an hour from an address; 0 turns it off
    #[arg(long, env, default_value_t = 60)]
    pub wrong_guesses_per_address_hour: u32,
    /// Wrong OTPs in an hour from a network of client addresses (IPv4: a /24, IPv6: a /48); 0 turns
    /// it off
    #[arg(long, env, default_value_t = 600)]
    pub wrong_guesses_per_network_hour: u32,
    /// Wrong OTPs in an hour for a number; 0 turns it off
    #[arg(long, env, default_value_t = 30)]
    pub wrong_guesses_per_number_hour: u32,
    /// Wrong OTPs in a day for a number, from whatever address, a third of them for known addresses
    /// only (NIST SP 800-63B: at most 100); 0 turns it off
    #[arg(long, env, default_value_t = 100)]
    pub wrong_guesses_per_number_day: u32,
}
