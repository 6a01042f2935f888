import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '@flotilla/platform';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Authority } from '../../../test/support/authority.ts';
import { selfSignedCertificate } from './self-signed.ts';

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

function made(): X509Certificate {
  const files = selfSignedCertificate(directory, ['127.0.0.1', '::1', 'localhost'], 2, silent);
  return new X509Certificate(readFileSync(files.certificate));
}

test('names every host, is good for the years that were asked for, and its key is for its owner alone', () => {
  const certificate = made();
  expect(certificate.subjectAltName).toBe('IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:localhost');
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.ca).toBe(false);
  const years = (Date.parse(certificate.validTo) - Date.now()) / (365 * 24 * 3_600_000);
  expect(years).toBeCloseTo(2, 2);
  expect(statSync(join(directory, 'key.pem')).mode & 0o777).toBe(0o600);
});

test('is the same at the next start', () => {
  expect(made().serialNumber).toBe(made().serialNumber);
});

test('is made anew when it has expired, or does not fit its key, or is none', () => {
  const first = made().serialNumber;
  const key = readFileSync(join(directory, 'key.pem'));
  rmSync(join(directory, 'key.pem'));
  const second = made().serialNumber;
  writeFileSync(join(directory, 'key.pem'), key);
  const third = made().serialNumber;
  writeFileSync(join(directory, 'cert.pem'), 'garbage');
  const fourth = made().serialNumber;
  const expired = new Authority(directory, 'ca').issue('expired', { notAfter: Date.now() - 1_000 });
  writeFileSync(join(directory, 'cert.pem'), expired.certificate);
  writeFileSync(join(directory, 'key.pem'), expired.key);
  const fifth = made().serialNumber;
  expect(new Set([first, second, third, fourth, expired.serialNumber, fifth]).size).toBe(6);
});

test('what cannot be written is told', () => {
  const file = join(directory, 'file');
  writeFileSync(file, '');
  expect(() => selfSignedCertificate(join(file, 'below'), [], 1, silent)).toThrow(/cannot make/);
});
