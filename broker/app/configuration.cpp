#include "broker/app/configuration.hpp"

#include <ostream>

namespace carehub::app {

void print_faults(const std::vector<ConfigFault>& faults, std::ostream& out) {
  for (const auto& fault : faults) out << to_string(fault) << '\n';
  out << faults.size() << (faults.size() == 1 ? " fault" : " faults") << std::endl;
}

}  // namespace carehub::app
