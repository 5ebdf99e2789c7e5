# @summary Picket at boot and now
#
# picket_agent starts whatever of Picket does not run; this resource is for others to relate to.
#
# @api private
class picket::service {
  if $caller_module_name != $module_name {
    fail("${name} is private: include picket")
  }

  if $picket::ensure != 'absent' and $picket::service_manage {
    service { 'picket.target':
      ensure => running,
      enable => true,
    }
  }
}
