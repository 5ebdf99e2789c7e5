# frozen_string_literal: true

require 'puppet/property'

module PuppetX; end
module PuppetX::Picket; end

# What of a host the installer brings in order. Whether it is, and what it will be, the installer's plan says: nothing
# here is compared by Puppet.
class PuppetX::Picket::PlannedProperty < Puppet::Property
  # What the manifest says; `should` becomes what the installer predicts.
  def given
    @given ||= should
  end

  def retrieve
    given
    @should = [provider.planned(name)] if provider.planned?(name)
    provider.current(name)
  end

  def insync?(_is)
    !provider.planned?(name)
  end

  def change_to_s(is, _should)
    "#{name} changed #{is_to_s(is)} to #{should_to_s(provider.current(name))}"
  end

  def is_to_s(value)
    case value
    when Hash then "'#{value.map { |pair| pair.join('=') }.join(', ')}'"
    when Array then "'#{value.join(', ')}'"
    else "'#{value}'"
    end
  end
  alias should_to_s is_to_s
end
