#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.hpp"

namespace carehub::adapters {

/// Networks of the Internet Protocol, of both versions; an IPv4 address mapped into IPv6 is the IPv4 one.
class Networks {
 public:
  /// Each an address ("127.0.0.1", "2001:db8::7") or a network ("10.1.0.0/16"). Error `invalid` names the
  /// wrong one.
  static Result<Networks> make(const std::vector<std::string>& texts);

  using Address = std::array<std::uint8_t, 16>;  // IPv4 as mapped into IPv6 (RFC 4291 section 2.5.5.2)
  bool hold(const Address& address) const;
  /// False for what is no address.
  bool hold(const std::string& address) const;
  bool empty() const { return networks_.empty(); }

 private:
  struct Network {
    Address address{};
    unsigned bits = 128;
  };
  std::vector<Network> networks_;
};

/// Where nothing is sent to unless the configuration allows it by name: this machine itself, and what only it
/// can reach (RFC 6890). Whoever can set a partner's name in the DNS could otherwise have the hub post to
/// services that trust everything local. The private networks of RFC 1918 are where partners are, and are
/// free.
class AddressRules {
 public:
  /// `allowed`: addresses ("127.0.0.1") and networks ("fd00:12::/32"). Error `invalid` names the wrong one.
  static Result<AddressRules> make(const std::vector<std::string>& allowed);

  /// Why nothing is sent to an address ("a loopback address"); empty where it may be. `own`: addresses of
  /// this machine. An IPv4 address inside an IPv6 one (mapped, compatible, RFC 6052) is judged as what it is.
  std::string_view against(const std::string& address, const std::vector<std::string>& own) const;

 private:
  Networks allowed_;
};

/// Of all interfaces of this machine, now.
std::vector<std::string> own_addresses();

}  // namespace carehub::adapters
