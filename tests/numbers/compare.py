"""Holds the reading of phone numbers to Google's library, by its Python port: compare.py PROGRAM LIST. The program is
common/examples/read_numbers.rs; the list is a file that gets every difference with its reason.

Read are examples of all regions and types in six spellings, and changed ones. Every difference needs a reason of REASONS. The
names of its functions say what they look for, and their first lines why it is right.
"""

import collections
import datetime
import json
import os
import pathlib
import random
import re
import subprocess
import sys

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType

CHANGED = int(os.environ.get("NUMBERS_CHANGED", 20_000))
# The same numbers on every run.
SEED = int(os.environ.get("NUMBERS_SEED", 14))
SHOWN = 20

# Regions whose plans differ between the two versions of the plans. Look each up before it is added, and empty the list when the
# versions are the same.
PLANS_CHANGED = {"BJ", "EC", "LA", "RO", "ZW"}

TAKE_SMS = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE, PhoneNumberType.VOIP}
TYPES = [kind for kind in PhoneNumberType.values() if kind != PhoneNumberType.UNKNOWN]
# Where a number with a plus is read.
ELSEWHERE = "IN"

Read = collections.namedtuple("Read", "e164 country takes_sms")
Case = collections.namedtuple("Case", "region text")


# What chance seldom makes.
TYPED = [
    Case("GB", "07700 900123"),
    Case("IN", "+33 6 39 98 01 23"),
    Case("MX", "+52 1 55 1234 5678"),
    Case("BJ", "97 12 34 56"),
    Case("BY", "+375 8102410911"),
    Case("RO", "+40 621123456"),
]


def is_mobile_of_argentina(case, google, ours):
    """An SMS to an Argentinian number without its 9 can mean the mobile only"""
    return google and ours and google.e164.startswith("+54") and ours.e164 == f"+549{google.e164[3:]}" and ours.takes_sms


def is_old_spelling(case, google, ours):
    """Mobiles of Mexico, Brazil and Benin are known by what they were before their plans changed"""
    if google or not ours:
        return False
    digits = phonenumbers.normalize_digits_only(case.text)
    match ours.e164[:3], ours.e164[3:]:
        case "+52", national:
            return digits.endswith(tuple(f"{prefix}{national}" for prefix in ("1", "01", "044", "045")))
        case "+55", national:
            return national[2] == "9" and digits.endswith(national[:2] + national[3:])
        case "+22", rest:
            return rest.startswith("901") and digits.endswith(rest[3:])
    return False


def is_fiction(case, google, ours):
    """Numbers for films can be test numbers"""
    ranges = ("+447700900", "+441632960", "+3363998", "+3532091")
    return not google and ours and ours.e164.startswith(ranges) and not ours.takes_sms


def is_too_long(case, google, ours):
    """E.164 has 15 digits, plus not counted; some plans know longer numbers"""
    return google and not ours and len(google.e164) > 16


def is_dialled_abroad(case, google, ours):
    """00 dials abroad from everywhere"""
    return ours and case.text.startswith("00") and ours == by_google(Case(ELSEWHERE, f"+{case.text[2:]}"))


def shares_plan(case, google, ours):
    """A number that is valid in the default country too belongs to it"""
    if not (google and ours and ours.country == case.region and google[::2] == ours[::2]):
        return False
    return phonenumbers.is_valid_number_for_region(phonenumbers.parse(ours.e164), case.region)


def follows_trunk_prefix(case, google, ours):
    """What is valid behind the trunk prefix is a number, where the library takes more away or nothing"""
    if google or not ours:
        return False
    code = phonenumbers.parse(ours.e164).country_code
    plan = PhoneMetadata.metadata_for_region(phonenumbers.region_code_for_country_code(code))
    national = ours.e164[1 + len(str(code)) :]
    dialled = f"{plan.national_prefix}{national}"
    return phonenumbers.normalize_digits_only(case.text) in (dialled, f"{code}{dialled}")


def is_valid_as_it_stands(case, google, ours):
    """What is valid as it was typed stays so, where the library's parser takes digits away that it takes for a prefix"""
    if not ours or not ours.e164.endswith(phonenumbers.normalize_digits_only(case.text)):
        return False
    code = next(code for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE if ours.e164.startswith(f"+{code}"))
    national = ours.e164[1 + len(str(code)) :]
    zeros = len(national) - len(national.lstrip("0"))
    number = phonenumbers.PhoneNumber(code, int(national), None, zeros > 0 or None, zeros or None)
    return phonenumbers.is_valid_number(number)


def has_changed_plan(case, google, ours):
    """Their plans have changed between the two versions"""
    return not (google and ours) and (google or ours).country in PLANS_CHANGED


REASONS = [
    is_mobile_of_argentina,
    is_old_spelling,
    is_fiction,
    is_too_long,
    is_dialled_abroad,
    shares_plan,
    follows_trunk_prefix,
    is_valid_as_it_stands,
    has_changed_plan,
]


def by_google(case):
    try:
        number = phonenumbers.parse(case.text, case.region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    kind = phonenumbers.number_type(number)
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return Read(e164, phonenumbers.region_code_for_number(number), kind in TAKE_SMS)


def by_us(program, cases):
    lines = "".join(f"{case.region}\t{case.text}\n" for case in cases)
    answer = subprocess.run([program], input=lines, capture_output=True, text=True, check=True)
    reads = [line.split("\t") for line in answer.stdout.splitlines()]
    assert len(reads) == len(cases), f"{len(reads)} answers to {len(cases)} numbers"
    return [None if read == ["-"] else Read(read[0], read[1], read[2] == "true") for read in reads]


def examples():
    """Region, and a number of each of its types; of no region those like +800."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in TYPES:
            if number := phonenumbers.example_number_for_type(region, kind):
                yield region, number
    for code in sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS):
        yield None, phonenumbers.example_number_for_non_geo_entity(code)


def spellings(region, number):
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    yield Case(ELSEWHERE, e164)
    yield Case(ELSEWHERE, phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL))
    yield Case(ELSEWHERE, phonenumbers.format_number(number, PhoneNumberFormat.RFC3966))
    yield Case(ELSEWHERE, f"00{e164[1:]}")
    if region:
        yield Case(region, e164[1:])
        yield Case(region, phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))


def changed(chance, region, number):
    """Digits too many or too few, others, with trunk prefix; from anywhere or at home."""
    national = phonenumbers.national_significant_number(number)
    digit = lambda: chance.choice("0123456789")
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(national))
        match chance.randrange(6):
            case 0:
                national = national[:-1] or digit()
            case 1:
                national += digit()
            case 2:
                national = digit() + national
            case 3:
                plan = region and PhoneMetadata.metadata_for_region(region)
                national = (plan and plan.national_prefix or "0") + national
            case _:
                national = national[:at] + digit() + national[at + 1 :]
    if region and chance.random() < 0.4:
        return Case(region, national)
    return Case(ELSEWHERE, f"+{number.country_code}{national}")


def output_of(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def version_of_our_plans():
    host = re.search(r"host: (\S+)", output_of("rustc", "-vV"))[1]
    metadata = output_of("cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", host)
    packages = json.loads(metadata)["packages"]
    manifest = next(package["manifest_path"] for package in packages if package["name"] == "rlibphonenumber")
    text = pathlib.Path(manifest).with_name("Readme.md").read_text()
    return re.search(r"metadata version:\*\* `v([\d.]+)`", text)[1]


def tell_age():
    """Of the plans: Google publishes new ones every two weeks or so."""
    ours, theirs = version_of_our_plans(), phonenumbers.__version__
    text = pathlib.Path(__file__).with_name("requirements.txt").read_text()
    since = datetime.date.fromisoformat(re.search(r"Plans of (\S+)\.", text)[1])
    days = (datetime.date.today() - since).days
    print(f"   Plans {ours} in the programs, {theirs} in the comparison; those are of {since}, {days} days ago.")
    if ours == theirs and PLANS_CHANGED:
        sys.exit("The plans are the same: empty PLANS_CHANGED.")


def told(read):
    return f"{read.e164} ({read.country}, {'SMS' if read.takes_sms else 'no SMS'})" if read else "no number"


def main(program, differences_file):
    tell_age()
    chance = random.Random(SEED)
    known = list(examples())
    cases = TYPED + [case for example in known for case in spellings(*example)]
    cases += [changed(chance, *chance.choice(known)) for _ in range(CHANGED)]

    counts, differences, unexplained = collections.Counter(), [], []
    valid = 0
    for case, ours in zip(cases, by_us(program, cases), strict=True):
        google = by_google(case)
        valid += google is not None
        if google == ours:
            continue
        reason = next((reason for reason in REASONS if reason(case, google, ours)), None)
        counts[reason] += 1
        difference = f"{case.text} in {case.region}: {told(ours)}, by the library {told(google)}"
        differences.append(f"{reason.__doc__ if reason else 'NO REASON'}: {difference}")
        if not reason:
            unexplained.append(difference)
    pathlib.Path(differences_file).write_text("\n".join(sorted(differences)) + "\n")

    print(f"   {len(cases)} numbers, {valid} of them valid; {sum(counts.values())} are read otherwise than by Google's library ({differences_file}):")
    for reason in REASONS:
        print(f"   {counts[reason]:5} {reason.__doc__}")
    if unused := [reason.__name__ for reason in REASONS if not counts[reason]]:
        sys.exit(f"Nothing differs for these reasons any more: {', '.join(unused)}.")
    for line in unexplained[:SHOWN]:
        print(f"   {line}")
    if unexplained:
        sys.exit(f"{len(unexplained)} of them for no known reason.")


if __name__ == "__main__":
    main(*sys.argv[1:])
