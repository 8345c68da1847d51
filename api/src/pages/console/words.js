// What the API's words mean.

export const LIMITS = {
  cooldown: "cooldown",
  number_hour: "SMS to one number within an hour",
  number_day: "SMS to one number within a day",
  address: "SMS asked for from one address",
  network: "SMS asked for from one network",
  range: "SMS to numbers beside each other",
  country: "SMS to one country",
  service: "SMS in all",
  wrong_guesses: "wrong codes",
  burned: "five wrong codes",
  blocked: "blocked by an operator",
};

export const limit = (name) => LIMITS[name] ?? name.replaceAll("_", " ");

export const STATUSES = {
  queued: "waiting", sending: "being sent", sent: "sent", delivered: "delivered", undelivered: "not delivered",
  failed: "failed", dropped: "not sent",
};

// Why an SMS did not arrive, and what to do.
export const REASONS = {
  invalid_number: ["there is no such number", "Ask the person for their right number."],
  country_not_enabled: ["the provider does not send to this country", "Allow the country in the provider's own settings (for Twilio: Geo permissions)."],
  opted_out: ["the person opted out of SMS, mostly by answering STOP", "Only the person can end it: they send START to the number that the SMS came from. No button here helps."],
  not_a_mobile_number: ["this number takes no SMS", "Ask the person for a mobile number."],
  rejected: ["the network refused it", "Ask the person for another number, or the provider why."],
  misconfigured: ["our account or settings at the provider are wrong", "Check the provider's settings and balance, then reset its breaker."],
  throttled: ["too many SMS were on their way", "Let the person ask again in a minute."],
  provider_unavailable: ["the provider could not be reached", "See its status page. Once it works, reset its breaker here; the person then asks again."],
  no_answer: ["the provider did not answer, so it may have arrived", "Let the person wait a minute, then ask again."],
  code_unreadable: ["OTP_SECRET was changed meanwhile", "Let the person ask again."],
  expired: ["the code expired before it could be sent", "See why SMS wait: the queue is on the overview."],
  replaced: ["a newer one took its place", "Nothing to do."],
  verified: ["the person had signed in already", "Nothing to do."],
  burned: ["too many wrong codes were tried", "Unlock the number, and let the person ask again."],
  unreachable: ["the phone is off or has no signal", "Let the person switch it on, and ask again."],
  blocked: ["the phone or its network blocks us", "Ask the person to look at their blocked numbers."],
  unknown_number: ["this number is not in use", "Ask the person for their right number."],
  carrier_filtered: ["a spam filter of the network stopped it", "Ask the provider to register the sender there."],
  not_delivered: ["the network does not say why", "Let the person ask again, or try another number."],
};

export const reason = (name) => REASONS[name]?.[0] ?? name.replaceAll("_", " ");
export const remedy = (name) => REASONS[name]?.[1];
