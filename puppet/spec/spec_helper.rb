# frozen_string_literal: true

require 'fileutils'
require 'json'
require 'rspec-puppet'
require 'tmpdir'

MODULE_ROOT = File.expand_path('..', __dir__)
$LOAD_PATH.unshift(File.join(MODULE_ROOT, 'lib'))

# Puppet finds a module by the name of its folder; this one may be checked out as any.
modules = Dir.mktmpdir('picket-spec')
File.symlink(MODULE_ROOT, File.join(modules, 'picket'))

RSpec.configure do |config|
  config.module_path = modules
  config.setup_fixtures = false
  config.mock_with :rspec
  config.strict_variables = true
  config.after(:suite) { FileUtils.rm_rf(modules) }
end

# Facts of every system that metadata.json names, { 'debian-12' => facts }.
def supported_systems
  families = { 'Debian' => 'Debian', 'Ubuntu' => 'Debian', 'SLES' => 'Suse' }
  JSON.parse(File.read(File.join(MODULE_ROOT, 'metadata.json')))['operatingsystem_support'].flat_map do |system|
    name = system['operatingsystem']
    system['operatingsystemrelease'].map do |release|
      os = { 'name' => name, 'family' => families.fetch(name, 'RedHat'), 'architecture' => 'x86_64',
             'release' => { 'full' => release, 'major' => release[%r{\A[^.]+}] } }
      ["#{name.downcase}-#{release}", { os: os, kernel: 'Linux', path: '/usr/bin:/bin', networking: { 'fqdn' => 'host' } }]
    end
  end.to_h
end

# A program that prints what `answers` has for its first argument (with ".dry" behind it for a dry run), ends with `code`,
# and writes its arguments and its input down.
def fake_program(path, answers = {}, code = 0)
  FileUtils.mkdir_p(File.dirname(path))
  answers.each { |verb, document| File.write("#{path}.#{verb}", document.is_a?(String) ? document : JSON.generate(document)) }
  File.write(path, <<~SHELL)
    #!/bin/sh
    echo "$@" >>#{path}.log
    case " $* " in *" /dev/stdin "*) cat >#{path}.input ;; esac
    dry=
    case " $* " in *" --dry-run "*) dry=.dry ;; esac
    cat "#{path}.$1$dry"
    exit #{code}
  SHELL
  File.chmod(0o755, path)
  path
end

def calls_of(path)
  File.exist?("#{path}.log") ? File.readlines("#{path}.log", chomp: true) : []
end

# Applies the resources as an agent does; what it logs, each a line.
def apply_resources(folder, *resources)
  Puppet[:statedir] = folder
  logs = []
  Puppet::Util::Log.close_all
  Puppet::Util::Log.newdestination(Puppet::Test::LogCollector.new(logs))
  catalog = Puppet::Resource::Catalog.new
  catalog.add_resource(*resources)
  catalog.apply
  logs.map(&:message)
ensure
  Puppet::Util::Log.close_all
end
