import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['**/dist/', '**/build/', '**/node_modules/', 'fixtures/'] },
  ...tseslint.configs.recommended,
  {
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    // What is made for every flow; an engine's own objects are made once.
    files: ['src/{bytes,connection,datagram,engine,judge,packet,quic,starttls,tcp,tls,x509}/**'],
    ignores: ['src/engine/engine.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: "ObjectExpression > Property[kind='get']",
          message:
            'Write a class: V8 gives every such object a hidden class of its own, which keeps what the getter knows alive past scavenges.',
        },
        {
          selector: "MethodDefinition[kind='get'] > PrivateIdentifier.key",
          message: 'Write a private method: V8 calls its runtime for each use of a private getter.',
        },
      ],
    },
  },
  { files: ['test/**'], rules: { 'no-console': 'off' } },
);
