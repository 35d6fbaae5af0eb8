/** For whoever comes without a session: the token of `tlspin web`, or its password. */
import type { Page } from '../context.ts';
import { element } from '../dom.ts';
import type { Server } from '../server.ts';

export function signInPage(server: Server, onSignedIn: () => void): Page {
  const secret = element('input', {
    ...{ id: 'secret', name: 'secret', type: 'password', autocomplete: 'current-password', required: true },
    'aria-describedby': 'where',
  });
  const failure = element('p', { role: 'alert', class: 'failure' });
  const form = element(
    'form',
    { class: 'sign-in' },
    element('h1', {}, 'Sign in'),
    element('label', { for: 'secret' }, 'Token or password'),
    secret,
    element(
      'p',
      { id: 'where', class: 'note' },
      'tlspin web prints a link that signs in when it starts, and writes the token to a file that only its user can read.',
    ),
    element('button', { class: 'primary' }, 'Sign in'),
    failure,
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    server.signIn(secret.value).then(onSignedIn, (error: Error) => {
      failure.textContent = `${error.message}.`;
      secret.select();
    });
  });
  return { title: 'Sign in', root: form };
}
