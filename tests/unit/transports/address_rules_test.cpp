#include "adapters/transports/address_rules.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

namespace carehub::adapters {
namespace {

std::string judged(const std::string& address, const std::vector<std::string>& allowed = {},
                   const std::vector<std::string>& own = {}) {
  const auto rules = AddressRules::make(allowed);
  REQUIRE(rules);
  return std::string(rules->against(address, own));
}

TEST_CASE("this machine, and what only it can reach, is not sent to, however it is written") {
  struct Case {
    const char* address;
    const char* why;
  };
  for (const Case& it : {Case{"127.0.0.1", "a loopback address"},
                         {"127.255.0.9", "a loopback address"},
                         {"::1", "a loopback address"},
                         {"::ffff:127.0.0.1", "a loopback address"},
                         {"::ffff:7f00:1", "a loopback address"},
                         {"::127.0.0.1", "a loopback address"},
                         {"64:ff9b::127.0.0.1", "a loopback address"},
                         {"0.0.0.0", "an unspecified address"},
                         {"0.1.2.3", "an unspecified address"},
                         {"::", "an unspecified address"},
                         {"169.254.169.254", "a link-local address"},
                         {"fe80::1", "a link-local address"},
                         {"fe80::1%eth0", "a link-local address"},
                         {"febf::1", "a link-local address"},
                         {"::ffff:169.254.169.254", "a link-local address"},
                         {"224.0.0.1", "a multicast address"},
                         {"ff02::1", "a multicast address"},
                         {"255.255.255.255", "a reserved or broadcast address"},
                         {"100.100.100.200", "a cloud's metadata address"},
                         {"fd00:ec2::254", "a unique local address"},
                         {"fec0::1", "a site-local address"},
                         {"partner.example", "not an IP address"}}) {
    INFO(it.address);
    CHECK(judged(it.address) == it.why);
  }
}

TEST_CASE("public addresses and the private networks of councils are free") {
  for (const char* address :
       {"10.1.2.3", "172.16.0.1", "192.168.1.1", "::ffff:10.1.2.3", "100.64.0.1", "8.8.8.8", "128.0.0.1",
        "126.255.255.255", "169.253.0.1", "223.255.255.255", "2001:db8::1", "fe00::1"}) {
    INFO(address);
    CHECK(judged(address).empty());
  }
}

TEST_CASE("an address of this machine is not sent to, even of a private network") {
  CHECK(judged("10.1.2.3", {}, {"10.1.2.3"}) == "an address of this machine");
  CHECK(judged("::ffff:10.1.2.3", {}, {"10.1.2.3"}) == "an address of this machine");
  CHECK(judged("2001:db8::1", {}, {"10.1.2.3", "2001:db8:0::1"}) == "an address of this machine");
  CHECK(judged("10.1.2.4", {}, {"10.1.2.3"}).empty());
  CHECK(judged("10.1.2.3", {"10.1.2.0/24"}, {"10.1.2.3"}).empty());
}

TEST_CASE("what the configuration names is allowed, and nothing beside it") {
  CHECK(judged("127.0.0.1", {"127.0.0.1"}).empty());
  CHECK(judged("::ffff:127.0.0.1", {"127.0.0.1"}).empty());
  CHECK(judged("127.0.0.2", {"127.0.0.1"}) == "a loopback address");
  CHECK(judged("::1", {"127.0.0.1"}) == "a loopback address");
  CHECK(judged("fd00:12:3::4", {"fd00:12::/31"}).empty());
  CHECK(judged("fd00:14::4", {"fd00:12::/31"}) == "a unique local address");
  CHECK(judged("127.9.9.9", {"10.0.0.0/8", "127.0.0.0/8"}).empty());
}

TEST_CASE("what is neither an address nor a network is named") {
  for (const char* wrong : {"localhost", "127.0.0.1/33", "127.0.0.1/", "127.0.0.1/8x", "::1/129", "", "/8",
                            "fe80::1%eth0", "127.0.0.1/-1"}) {
    INFO(wrong);
    const auto rules = AddressRules::make({"10.0.0.1", wrong});
    REQUIRE_FALSE(rules);
    CHECK(rules.error().text.starts_with("`" + std::string(wrong) + "` is neither"));
  }
}

TEST_CASE("this machine has its loopback address") {
  const auto own = own_addresses();
  CHECK(std::ranges::find(own, "127.0.0.1") != own.end());
}

}  // namespace
}  // namespace carehub::adapters
