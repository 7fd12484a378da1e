import { endingsOf } from '../../openvpn/management/answers.js';
import {
  keepReadableCharacters,
  atoi,
  MAX_COMMAND_LINE_BYTES,
  parseLine,
} from '../../openvpn/management/command-line.js';
import type { Request } from '../../openvpn/management/exchanges.js';
import { failure, success } from '../common/answer.js';
import { DISPOSITIONS, type Disposition } from '../common/dispositions.js';
import { loggableOrder } from '../common/secrecy.js';
import type { AnswerCommands } from './answer-commands.js';
import {
  acceptsLines,
  MultiLineCommand,
  firstRefusalOnly,
  type CompleteCommand,
} from './multi-line-command.js';
import type { CommandForwarder, Respond } from './command-forwarder.js';
import type { ConsoleClient, Stream } from './console-client.js';
import type { MessageDistributor } from './message-distributor.js';
import type { SettingCommands } from './setting-commands.js';

const NOT_ASCII = 'OpenVPN drops every character that is not ASCII, and would run another command';

/** Largest N of `test N`. OpenVPN makes all N lines before it does anything else. */
export const MAX_TEST_LINES = 10_000;

interface ParsedCommand {
  readonly command: string;
  readonly parameters: readonly string[];
  readonly disposition: Disposition;
  readonly request: Request;
}

/** Runs the commands of console clients, each as {@link DISPOSITIONS} says. */
export class CommandDispatcher {
  /** @param onOrder called when a client changes OpenVPN for everybody, with the part of its command that is not secret. */
  constructor(
    private readonly forwarder: CommandForwarder,
    private readonly settingCommands: SettingCommands,
    private readonly answerCommands: AnswerCommands,
    private readonly distributor: MessageDistributor,
    private readonly onOrder: (client: ConsoleClient, order: string) => void,
  ) {}

  /**
   * Runs one line of a client: a command, or a line of a command of several lines. Responds once, possibly with no lines.
   * @returns whether the line is a query: it changes nothing.
   */
  run(client: ConsoleClient, line: string, respond: Respond): boolean {
    const text = keepReadableCharacters(line);
    const refusal = /[^\0-\x7f]/.test(line) ? NOT_ASCII : undefined;
    if (client.unfinishedCommand) {
      const complete = client.unfinishedCommand.push(text, refusal);
      if (complete) this.#runMultiLineCommand(client, complete, respond);
      else respond({ lines: [] });
      return false;
    }
    if (refusal !== undefined) {
      respond(failure(`${refusal}: name a client by its CID`));
      return false;
    }
    if (text.length > MAX_COMMAND_LINE_BYTES) {
      respond(
        failure(`the line is longer than ${MAX_COMMAND_LINE_BYTES} characters, the most that OpenVPN takes`),
      );
      return false;
    }
    const parsed = parseLine(text);
    const request: Request = { text, endings: endingsOf(parsed) };
    if (typeof parsed === 'string') {
      this.forwarder.forward(request, respond);
      return false;
    }
    const [command = '', ...parameters] = parsed.words;
    if (command === 'exit' || command === 'quit') {
      respond({ lines: [], closesConnection: true });
      return false;
    }
    const disposition = DISPOSITIONS.get(command) ?? 'order';
    if (this.#startsMultiLineCommand(client, command, parameters)) {
      if (this.answerCommands.refuseIfClaimed(client, command, disposition, respond)) return false;
      client.unfinishedCommand = new MultiLineCommand(text);
      respond({ lines: [] });
      return false;
    }
    this.#dispatch(client, { command, parameters, disposition, request }, respond);
    return disposition === 'query';
  }

  #dispatch(client: ConsoleClient, parsed: ParsedCommand, respond: Respond): void {
    const { command, parameters, disposition, request } = parsed;
    const [first] = parameters;
    switch (disposition) {
      case 'query':
        this.forwarder.forward(
          { ...request, text: canonicalQuery(command, first, request.text), isReadOnly: true },
          respond,
        );
        return;
      case 'order':
        this.#order(client, parsed, respond);
        return;
      case 'stream':
        this.settingCommands.stream(client, command as Stream, parameters, request, respond);
        return;
      case 'bytecount':
        this.settingCommands.bytecount(client, first, request, respond);
        return;
      case 'hold':
        this.settingCommands.hold(client, first, request, respond);
        return;
      case 'env-filter':
        client.envFilterLevel = atoi(first ?? '');
        respond(success(`env_filter_level=${client.envFilterLevel}`));
        return;
      case 'version':
        this.settingCommands.version(client, first, request, respond);
        return;
      case 'limited':
        if (atoi(first ?? '') > MAX_TEST_LINES)
          respond(failure(`OpenVPN does nothing else during test: at most ${MAX_TEST_LINES} lines`));
        else this.forwarder.forward(request, respond);
        return;
      default:
        if (!this.answerCommands.refuseIfClaimed(client, command, disposition, respond))
          this.answerCommands.answer(client, disposition.claim, command, parameters, request, respond);
    }
  }

  /** Reports an unknown command only after OpenVPN has accepted it: an unknown word can be a mistyped password. */
  #order(client: ConsoleClient, { command, parameters, request }: ParsedCommand, respond: Respond): void {
    const loggable = loggableOrder(command, parameters);
    if (loggable !== undefined) {
      if (parameters.length > 0 || command === 'forget-passwords') this.onOrder(client, loggable);
      this.forwarder.forward(request, respond);
      return;
    }
    this.forwarder.forward(request, respond, {
      toLines: (parts) => {
        const lines = parts.flat();
        if (!lines.some((line) => line.startsWith('ERROR:'))) this.onOrder(client, command);
        return lines;
      },
    });
  }

  /** Whether lines up to `END` follow this command. They do unless OpenVPN would refuse the first line at once. */
  #startsMultiLineCommand(
    { version }: ConsoleClient,
    command: string,
    parameters: readonly string[],
  ): boolean {
    const [first, second] = parameters;
    if (command === 'client-auth') return isNumber(first) && isNumber(second);
    const { managementVersion } = this.settingCommands;
    // OpenVPN 2.4 and 2.5 have management versions 1 to 3
    if (command === 'client-pf') return isNumber(first) && managementVersion >= 1 && managementVersion <= 3;
    // OpenVPN 2.7.2 has management version 6
    if (command === 'password' && (parameters.length !== 1 || version < 5 || managementVersion < 6))
      return false;
    return acceptsLines(command, this.distributor.question);
  }

  #runMultiLineCommand(client: ConsoleClient, complete: CompleteCommand, respond: Respond): void {
    const { command, parameters, request, refusal } = complete;
    client.unfinishedCommand = undefined;
    const disposition = DISPOSITIONS.get(command) ?? 'order';
    if (refusal !== undefined) respond(failure(refusal));
    else if (typeof disposition === 'string') {
      this.onOrder(client, loggableOrder(command, parameters) ?? command);
      this.forwarder.forward(request, respond, {
        toLines: (parts) => firstRefusalOnly(command, parts.flat()),
      });
    } else if (!this.answerCommands.refuseIfClaimed(client, command, disposition, respond))
      this.answerCommands.answer(client, disposition.claim, command, parameters, request, respond);
  }
}

/** Whether `sscanf` would read a number with `%lu` or `%u`. */
function isNumber(text: string | undefined): boolean {
  return /^\s*[+-]?\d/.test(text ?? '');
}

/**
 * Writes equivalent queries in the same way, so that they share one reply: OpenVPN reads `status " 3" please` as `status 3`.
 * Only for `status`, because its reply is long.
 */
function canonicalQuery(command: string, first: string | undefined, text: string): string {
  if (command !== 'status') return text;
  return first === undefined ? command : `${command} ${atoi(first)}`;
}
