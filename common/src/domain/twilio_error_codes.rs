//! What a provider's error code says about an SMS. The codes are Twilio's
//! (<https://www.twilio.com/docs/api/errors>, all of 2xxxx and 3xxxx gone through); a webhook may
//! answer with the same ones.

use super::delivery::Reason;

/// None where the code is not known, or says nothing more than that the message failed.
///
/// A sender that one country does not take is [`Reason::CountryNotEnabled`] and no
/// misconfiguration: a stranger who asks for that country must not stop what goes to all others.
#[must_use]
pub fn reason_of(code: u32) -> Option<Reason> {
    Some(match code {
        21211 | 21217 | 21266 | 21401 | 30014 => Reason::InvalidNumber,
        21202 | 21265 | 21268 | 21614 | 21635 | 30006 => Reason::NotAMobileNumber,
        21610 => Reason::OptedOut,
        21214 | 30003 => Reason::Unreachable,
        30004 | 30450 => Reason::Blocked,
        30005 => Reason::UnknownNumber,
        30007 | 30038 => Reason::CarrierFiltered,
        30036 => Reason::Expired,
        21611 | 30001 | 30022 | 30023 | 30027 | 30454 => Reason::Throttled,
        code if is_of_the_country(code) => Reason::CountryNotEnabled,
        code if is_ours(code) => Reason::Misconfigured,
        _ => return None,
    })
}

/// Sender and country do not go together, or the account does not send there.
fn is_of_the_country(code: u32) -> bool {
    matches!(
        code,
        21408 // no permission for the region
            | 21612 // To and From cannot be combined
            | 21657 // the sender is not supported there
            | 21662 // To and From cannot be combined in the region Ireland
            | 30018 | 30024 | 30040 | 30041 // the sender is not registered there
            | 30032 // a toll-free sender that is not verified (US, Canada)
            | 30033..=30035 // a sender without a campaign (US)
    )
}

/// Our account, our sender, our settings or our text: no SMS goes out before an operator corrects
/// it.
fn is_ours(code: u32) -> bool {
    is_of_the_account(code) || is_of_the_sender(code) || is_of_the_request(code)
}

fn is_of_the_account(code: u32) -> bool {
    matches!(
        code,
        10001 | 10002 // not active; a trial
            | 20003 | 20005 | 20006 | 20008 | 20010 | 20403 // no permission, test credentials
            | 20101..=20107 | 20151..=20160 // the credentials
            | 20404 | 20410 | 20423 // no such account, or not at this address
            | 20011 | 20012 | 20426 // TLS, HTTP
            | 21219 | 21608 // a trial, which sends to verified numbers only
            | 21470..=21472 // no such account, or not active
            | 30002 | 30037 | 30112 // suspended, sending disabled, not found
    )
}

fn is_of_the_sender(code: u32) -> bool {
    matches!(
        code,
        21210 | 21212 | 21213 | 21264 | 21267 // From is not verified, invalid, missing
            | 21601 | 21603 | 21606 | 21607 | 21616 // From cannot send, is missing, is ambiguous
            | 21659..=21661 | 21663 | 21668 // From is not Twilio's, not ours, sends no SMS
            | 21664..=21667 // FallbackFrom
            | 21701..=21705 | 21708 | 21709 | 21711 // the Messaging Service, its senders
            | 21910 // From is of another channel
            | 30015 | 30016 | 30042 // From is of another channel, or generic
            | 30124 | 30127 // the Messaging Service
    )
}

fn is_of_the_request(code: u32) -> bool {
    matches!(
        code,
        21218 // ApplicationSid
            | 21502 | 21609 | 21626 // StatusCallback
            | 21602 | 21605 | 21617..=21619 | 30019 | 30044 // the text
            | 21620..=21623 | 21654..=21656 | 21658 // media, content
            | 21624 | 30012 | 30013 | 30045 // ValidityPeriod
            | 21627 | 21652 | 21653 | 21902 | 30010 | 30028..=30031 // other parameters
            | 21900 | 21901 // the ids that India asks for
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_our_account_and_sender_say_nothing_of_the_number() {
        for code in [
            20003, 20005, 20404, 21212, 21603, 21606, 21607, 21608, 21609, 21616, 21617, 21659,
            21660, 21661, 21701, 21702, 21703, 21704, 21705, 21709, 21901, 30002, 30037,
        ] {
            assert_eq!(reason_of(code), Some(Reason::Misconfigured), "{code}");
        }
    }

    #[test]
    fn codes_of_the_number_are_never_ours() {
        for (code, reason) in [
            (21211, Reason::InvalidNumber),
            (21266, Reason::InvalidNumber),
            (21408, Reason::CountryNotEnabled),
            (21612, Reason::CountryNotEnabled),
            (30034, Reason::CountryNotEnabled),
            (21610, Reason::OptedOut),
            (21614, Reason::NotAMobileNumber),
            (21635, Reason::NotAMobileNumber),
            (21268, Reason::NotAMobileNumber),
        ] {
            assert_eq!(reason_of(code), Some(reason), "{code}");
        }
        for unknown in [0, 21999, 30008, u32::MAX] {
            assert_eq!(reason_of(unknown), None, "{unknown}");
        }
    }
}
