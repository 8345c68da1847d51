//! Reads phone numbers as the API does, for `bin/test numbers`. Each line of the input is a
//! country, a tab and a text; each of the output the number in E.164, its country and whether it
//! takes SMS, with tabs between them, or a dash.

#![allow(clippy::print_stdout, reason = "its answers")]

use std::error::Error;
use std::io::{self, BufRead, Write};

use common::domain::phone::{Country, PhoneNumber};

fn main() -> Result<(), Box<dyn Error>> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (country, text) = line.split_once('\t').ok_or("a line has no tab")?;
        let country = country.parse::<Country>()?;
        match PhoneNumber::parse(text, country) {
            Ok(number) => {
                let country = number
                    .country()
                    .map_or_else(|| "001".to_owned(), |country| country.to_string());
                writeln!(output, "{}\t{country}\t{}", number.e164().as_str(), number.takes_sms())?;
            }
            Err(_) => writeln!(output, "-")?,
        }
    }
    Ok(output.flush()?)
}
