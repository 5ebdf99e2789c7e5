# frozen_string_literal: true

require 'json'
require_relative '../../../puppet_x/picket/program'

Puppet::Type.type(:picket_profile).provide(:picket) do
  desc 'Lets picket check and render the profile, and puts it where the daemon reads it.'

  confine kernel: 'Linux'

  def self.instances
    found = new(name: 'puppet', ensure: :present)
    found.exists? ? [found] : []
  end

  def exists?
    wanted # a faulty profile is told before anything else
    File.exist?(file)
  end

  def settings
    JSON.parse(File.read(file, encoding: 'UTF-8'))
  rescue JSON::ParserError
    'not JSON'
  end

  # The document as picket renders it; nil where that cannot be known: Picket is not installed yet.
  def wanted
    return if resource.nil? || resource[:ensure] == :absent || !File.executable?(PuppetX::Picket::AGENT)

    @wanted ||= resource[:source] || resource.property(:settings).given ? render : nil
  end

  def create
    missing = [PuppetX::Picket::AGENT, File.dirname(file)].find { |path| !File.exist?(path) }
    raise PuppetX::Picket::Failed.new('writing the profile', nil, "Picket is not installed: there is no #{missing}") if missing

    write(JSON.pretty_generate(wanted) << "\n")
    await_force
  end

  def settings=(_value)
    create
  end

  def destroy
    File.delete(file)
  end

  # "realTimeProtection.openDeadlineMs 2000 to 1500, …"
  def differences(before, after)
    before, after = [before, after].map { |document| document.is_a?(Hash) ? leaves(document) : {} }
    (before.keys | after.keys).reject { |key| before[key] == after[key] }
                              .map { |key| "#{key} #{shown(before[key])} to #{shown(after[key])}" }.join(', ')
  end

  private

  def file
    PuppetX::Picket::PROFILE
  end

  def render
    path = resource[:source] || '/dev/stdin'
    text = resource[:source] ? nil : JSON.generate(resource.property(:settings).given)
    PuppetX::Picket.run([PuppetX::Picket::AGENT, 'profile', 'render', path, '--output', 'json'], input: text)['data']['document']
  rescue PuppetX::Picket::Failed => e
    # Lines and columns are those of a file that nobody has seen.
    raise Puppet::Error, e.to_s.gsub(%r{^/dev/stdin(:\d+:\d+)?: }, '')
  end

  # The name is one that the installer knows and clears away, were this killed half-way.
  def write(text)
    part = "#{File.dirname(file)}/.#{File.basename(file)}.tmp"
    File.delete(part) if File.exist?(part) || File.symlink?(part)
    File.open(part, File::WRONLY | File::CREAT | File::EXCL, 0o644) do |out|
      out.chmod(0o644)
      out.write(text)
      out.fsync
    end
    File.rename(part, file)
  end

  # The daemon takes the file in within a second, or says what in the whole set keeps it from that.
  def await_force
    20.times do
      return if in_force?

      sleep(0.1)
    end
    problems = answer('profile', 'show').fetch('problems', [])
    return if problems.empty? # a later file, or a list that several files fill

    raise PuppetX::Picket::Failed.new('taking the profile into force', nil, problems.map { |problem| place_of(problem) }
                                      .unshift('the last good profile stays in force').join("\n"))
  end

  def place_of(problem)
    "#{problem['file']}:#{problem['line']}: #{problem['message']}"
  end

  # Where no daemon runs, the profile counts when it starts.
  def in_force?
    data = answer('profile', 'diff', file, '--running', accept: [0, 1])
    data.empty? || data['differences'] == []
  end

  def answer(*words, accept: [0])
    PuppetX::Picket.run([PuppetX::Picket::AGENT, *words, '--output', 'json'], accept: accept)['data']
  rescue PuppetX::Picket::Failed => e
    Puppet.debug(e.to_s)
    {}
  end

  def leaves(document, prefix = '')
    document.each_with_object({}) do |(key, value), found|
      value.is_a?(Hash) ? found.merge!(leaves(value, "#{prefix}#{key}.")) : found["#{prefix}#{key}"] = value
    end
  end

  def shown(value)
    value.nil? ? 'unset' : JSON.generate(value)
  end
end
