# frozen_string_literal: true

require 'json'
require 'open3'
require 'puppet/error'

# Namespace of the module's own code.
module PuppetX; end

# What types, providers and the fact share.
module PuppetX::Picket
  AGENT = '/usr/bin/picket'
  INSTALLER = '/usr/sbin/picket-installer'
  GATE = '/usr/sbin/picketd'
  PROFILE = '/etc/picket/managed.d/50-puppet.json'

  # A program refused or failed. Puppet logs the failure of a change twice, its `message` alone and the event with the
  # whole text: so `message` only names the command, and the reason stands there once.
  class Failed < Puppet::Error
    attr_reader :code, :message

    def initialize(command, code, reason)
      super(reason)
      @code = code
      @message = "#{command} failed"
    end
  end

  # Runs `command` and gives back the JSON document that it printed. Raises Failed with the program's own words.
  # `accept` names exit codes that are an answer, too.
  def self.run(command, input: nil, accept: [0])
    name = "#{File.basename(command[0])} #{command[1]}"
    output, errors, status = Open3.capture3({ 'LC_ALL' => 'C.UTF-8' }, *command, stdin_data: input.to_s)
    document = parse(output)
    return document if document && accept.include?(status.exitstatus)

    raise Failed.new(name, status.exitstatus, reason(name, document, status, "#{errors}#{output}"))
  rescue Errno::EACCES
    raise Failed.new(name, nil, "#{command[0]} cannot be executed; is its file system mounted noexec? Then set " \
                                'picket::staging_directory to a folder where programs may be executed')
  rescue Errno::ENOENT
    raise Failed.new(name, nil, "there is no #{command[0]}")
  end

  def self.parse(output)
    document = JSON.parse(output.dup.force_encoding(Encoding::UTF_8))
    document.is_a?(Hash) ? document : nil
  rescue JSON::ParserError
    nil
  end

  # picket-installer has the error in its report, picket in an envelope.
  def self.reason(name, document, status, said)
    error = document && (document['error'] || document['data'])
    return "#{name} ended with #{status.exitstatus || status}: #{said.strip}" unless error.is_a?(Hash) && error['message']

    fix = error['fix'].to_s
    "#{error['message']} (exit code #{status.exitstatus})#{fix.empty? ? '' : "; fix: #{fix}"}"
  end
end
