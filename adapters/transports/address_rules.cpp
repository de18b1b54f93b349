#include "adapters/transports/address_rules.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

namespace carehub::adapters {
namespace {

using Address = Networks::Address;

constexpr unsigned kMappedBits = 96;

bool within(const Address& address, const Address& network, unsigned bits) {
  const std::size_t whole = bits / 8;
  if (!std::equal(network.begin(), network.begin() + whole, address.begin())) return false;
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xFFU << (8 - bits % 8));
  return ((network.at(whole) ^ address.at(whole)) & mask) == 0;
}

Address mapped(const std::uint8_t* four) {
  Address address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  std::copy_n(four, 4, address.begin() + 12);
  return address;
}

std::optional<Address> parse(std::string_view text) {
  const std::string plain(text.substr(0, text.find('%')));  // without its zone
  std::array<std::uint8_t, 4> four{};
  if (::inet_pton(AF_INET, plain.c_str(), four.data()) == 1) return mapped(four.data());
  Address six{};
  if (::inet_pton(AF_INET6, plain.c_str(), six.data()) == 1) return six;
  return std::nullopt;
}

struct Kind {
  const char* network;
  unsigned bits;
  std::string_view name;
};

constexpr Kind kForbidden[] = {
    {"0.0.0.0", kMappedBits + 8, "an unspecified address"},
    {"::", 128, "an unspecified address"},
    {"127.0.0.0", kMappedBits + 8, "a loopback address"},
    {"::1", 128, "a loopback address"},
    {"169.254.0.0", kMappedBits + 16, "a link-local address"},
    {"fe80::", 10, "a link-local address"},
    {"224.0.0.0", kMappedBits + 4, "a multicast address"},
    {"ff00::", 8, "a multicast address"},
    {"240.0.0.0", kMappedBits + 4, "a reserved or broadcast address"},
    {"100.100.100.200", 128, "a cloud's metadata address"},
    {"fc00::", 7, "a unique local address"},
    {"fec0::", 10, "a site-local address"},
};

/// The IPv4 address inside an IPv6 one, where one is.
Address unwrapped(const Address& address) {
  static const Address kCompatible{};
  static const Address kTranslated = *parse("64:ff9b::");
  const bool local = std::all_of(address.begin(), address.begin() + 15, [](auto byte) { return byte == 0; });
  const bool holds = within(address, kCompatible, kMappedBits) || within(address, kTranslated, kMappedBits);
  return holds && !(local && address[15] <= 1) ? mapped(address.data() + 12) : address;
}

}  // namespace

Result<Networks> Networks::make(const std::vector<std::string>& texts) {
  Networks networks;
  for (const std::string& text : texts) {
    const auto wrong =
        fail(ErrorKind::invalid, "`" + text + "` is neither an IP address nor a network as 10.1.0.0/16");
    const std::size_t slash = text.find('/');
    const auto address = parse(std::string_view(text).substr(0, slash));
    if (!address || text.find('%') != std::string::npos) return wrong;
    Network network{*address, 128};
    if (slash != std::string::npos) {
      const bool four = text.find(':') == std::string::npos;
      unsigned bits = 0;
      const char* end = text.data() + text.size();
      const auto [at, error] = std::from_chars(text.data() + slash + 1, end, bits);
      if (error != std::errc{} || at != end || bits > (four ? 32U : 128U)) return wrong;
      network.bits = bits + (four ? kMappedBits : 0U);
    }
    networks.networks_.push_back(network);
  }
  return networks;
}

bool Networks::hold(const Address& address) const {
  return std::ranges::any_of(networks_, [&address](const Network& network) {
    return within(address, network.address, network.bits);
  });
}

bool Networks::hold(const std::string& address) const {
  const auto parsed = parse(address);
  return parsed && hold(*parsed);
}

Result<AddressRules> AddressRules::make(const std::vector<std::string>& allowed) {
  auto networks = Networks::make(allowed);
  if (!networks) return tl::unexpected(networks.error());
  AddressRules rules;
  rules.allowed_ = std::move(*networks);
  return rules;
}

std::string_view AddressRules::against(const std::string& address,
                                       const std::vector<std::string>& own) const {
  const auto parsed = parse(address);
  if (!parsed) return "not an IP address";
  const Address judged = unwrapped(*parsed);
  if (allowed_.hold(judged)) return {};
  for (const Kind& kind : kForbidden) {
    if (within(judged, *parse(kind.network), kind.bits)) return kind.name;
  }
  const bool ours =
      std::ranges::any_of(own, [&judged](const std::string& text) { return parse(text) == judged; });
  return ours ? "an address of this machine" : std::string_view();
}

std::vector<std::string> own_addresses() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned(first, ::freeifaddrs);
  std::vector<std::string> addresses;
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    const int family = each->ifa_addr->sa_family;
    const void* address = nullptr;
    if (family == AF_INET) address = &reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr;
    if (family == AF_INET6) address = &reinterpret_cast<const sockaddr_in6*>(each->ifa_addr)->sin6_addr;
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address != nullptr && ::inet_ntop(family, address, text.data(), text.size()) != nullptr)
      addresses.emplace_back(text.data());
  }
  return addresses;
}

}  // namespace carehub::adapters
