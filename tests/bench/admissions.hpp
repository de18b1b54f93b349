#pragma once

#include <fmt/format.h>

#include <array>
#include <string>
#include <vector>

#include "broker/base/identifiers.hpp"

/// Admissions as a hospital's PAS sends them, of people who do not exist.
namespace carehub::bench {

/// The n-th valid NHS number of the test range (999), or empty where that number has no check digit.
inline std::string nhs_number(unsigned number) {
  const std::string digits = fmt::format("999{:06}", number % 1'000'000);
  const auto check = nhs_check_digit(digits);
  return check ? digits + *check : std::string();
}

/// An ADT^A01 of about 900 bytes about one of some 400,000 children; each control id is used once.
inline std::string admission(unsigned number) {
  static constexpr std::array families{"Larkspur", "Fennimore", "Quillen", "Thistlewood", "Ashdown-Reed"};
  static constexpr std::array names{"Robin", "Wren", "Sorrel", "Juniper", "Linden", "Ash", "Rowan"};
  const unsigned child = number % 400'000;
  std::string nhs = nhs_number(child * 2);
  if (nhs.empty()) nhs = nhs_number(child * 2 + 1);  // two neighbours never both lack a check digit
  const char* family = families.at(child % families.size());
  const unsigned born = 2009 + child % 15;
  const unsigned day = 1 + child % 28;
  return fmt::format(
      "MSH|^~\\&|PAS|RZX01|CAREHUB|NORTHMARCH|202603020910{0:02}||ADT^A01^ADT_A01|B{1:09}|P|2.4|||||GBR|"
      "UNICODE UTF-8\r"
      "EVN|A01|202603020910{0:02}||||20260302090500\r"
      "PID|1||{2}^^^NHS^NH~{3:07}^^^RZX01^MR||{4}^{5}^{6}^^^^L||{7}{8:02}{9:02}|{10}||A|{11} Sample "
      "Lane^^Elwick"
      "^Northmarch^NM1 1AA^GBR^H||07700900{12:03}^PRN^CP|07700901{12:03}^WPN^PH|ENG|S|||||||||||||||||01\r"
      "PD1|||ELWICK SURGERY^^G1234567^^^^^^^G1234567|G1234567^Example^Sam^^^DR\r"
      "NK1|1|{4}^{6}^^^MS|MTH^Mother^HL70063|{11} Sample Lane^^Elwick^Northmarch^NM1 "
      "1AA^GBR|07700902{12:03}^PRN^CP"
      "|07700903{12:03}^WPN^PH|N^Next of kin\r"
      "NK1|2|Marlow^Alex^^^MR|GRD^Guardian^HL70063||07700904{12:03}^PRN^PH\r"
      "PV1|1|I|SUNFLOWER^BAY {13}^{14}^RZX01^^^MAIN^2^Sunflower "
      "Ward|AE||DAYWARD^^^RZX01|C9999999^Example^Kim^^^DR"
      "|||420^Paediatrics||||19|||C9999998^Sample^Jo^^^DR||V{1:09}^^^RZX01|||||||||||||||||||||||||"
      "2026030209{15:02}00\r"
      "PV2|||R062^Wheezing^I10||||||20260305\r"
      "ZXX|900101^Holm Lane School|E10000099^Northmarch County Council||21|01\r",
      number % 60, number, nhs, child, family, names.at(child % names.size()),
      names.at((child / 7) % names.size()), born, 1 + child % 12, day, child % 2 == 0 ? "F" : "M",
      1 + child % 199, child % 1'000, 1 + child % 6, 1 + child % 8, number % 60);
}

inline std::vector<std::string> admissions(unsigned from, unsigned count) {
  std::vector<std::string> all;
  all.reserve(count);
  for (unsigned each = 0; each < count; ++each) all.push_back(admission(from + each));
  return all;
}

}  // namespace carehub::bench
